"""The child process of an isolated runner: `python -P -m edgekit.runners.worker OPTIONS`.

It answers messages on its standard input (see `wire`) until that closes. It must stay light to start
and must not outlive its parent, even while a runtime hangs in native code.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import IO, Any

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.runners import wire
from edgekit.runners.base import Array, Payload, Port, Runner
from edgekit.runners.table import runner_class

_GRACE_S = 5
"""The parent ends a call that takes too long; an orphan ends itself so much later."""


class Worker:
    """Answers requests with one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._payload: Payload | None = None

    def answer(self, request: wire.Header, arrays: list[Array]) -> tuple[wire.Header, list[Array]]:
        """Does what a request asks; whatever goes wrong in Python becomes diagnostics."""
        try:
            return self._dispatch(request, arrays)
        except EdgekitError as problem:
            return {"diagnostics": [d.to_dict() for d in problem.diagnostics]}, []
        except MemoryError:
            self._runner.close()
            return _failure("EK502", f"`{self._runner.name}` needs more memory than it may have"), []
        except Exception as problem:  # noqa: BLE001 - the parent reports it, with the trace
            return _failure("EK901", f"{type(problem).__name__}: {problem}", traceback.format_exc()), []

    def _dispatch(self, request: wire.Header, arrays: list[Array]) -> tuple[wire.Header, list[Array]]:
        if request["op"] == "unload":
            self._payload = None
            self._runner.close()
            return {}, []
        payload = self._take(request["payload"], arrays)
        if request["op"] == "ports":
            ports = self._runner.ports(payload)
            return {"inputs": _ports(ports.inputs), "outputs": _ports(ports.outputs)}, []
        inputs = dict(zip(request["inputs"], arrays, strict=True))
        results = self._runner.run(payload, inputs, intermediates=request["intermediates"])
        return {"outputs": list(results)}, list(results.values())

    def _take(self, described: wire.Header, arrays: list[Array]) -> Payload:
        """Returns the model of a request: in it, in a file, or the one of the request before."""
        if described["kind"] == "bytes":
            self._payload = arrays.pop(0).tobytes()
        elif described["kind"] == "path":
            self._payload = Path(described["path"])
        if self._payload is None:
            raise RuntimeError("the parent believes that a model is loaded")
        return self._payload


def main() -> None:
    """Serves requests until the parent closes the pipe."""
    inbound, outbound = _claim_pipes()
    options = json.loads(sys.argv[1])
    _no_core_files()
    worker = Worker(runner_class(options.pop("backend"))(**options))
    wire.send(outbound, {"ready": True})
    while (message := wire.receive(inbound)) is not None:
        request, arrays = message
        _limit_memory(request["memory"])
        _limit_time(request["seconds"])
        reply, results = worker.answer(request, arrays)
        _limit_time(None)
        wire.send(outbound, reply, results)
    os._exit(0)  # the parent has seen all it wants; a runtime's exit handlers can only do harm


def _claim_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Takes the pipes away from `print` and from runtimes that write to the standard output."""
    inbound = os.fdopen(os.dup(0), "rb")
    outbound = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return inbound, outbound


def _no_core_files() -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_memory(extra: int | None) -> None:
    """Allows so many more bytes of address space than are used now; Linux only."""
    if extra is None or not sys.platform.startswith("linux"):
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + extra
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _limit_time(seconds: float | None) -> None:
    """Lets the system end this process after a while, even inside native code."""
    if hasattr(signal, "alarm"):
        signal.alarm(0 if seconds is None else math.ceil(seconds) + _GRACE_S)


def _ports(ports: tuple[Port, ...]) -> list[dict[str, Any]]:
    return [
        {"name": p.name, "dtype": "object" if p.dtype.kind == "O" else p.dtype.name, "shape": p.shape}
        | {"alias": p.alias}
        for p in ports
    ]


def _failure(code: str, message: str, *notes: str) -> wire.Header:
    return {"diagnostics": [Diagnostic(code, message, notes=notes).to_dict()]}


if __name__ == "__main__":
    main()
