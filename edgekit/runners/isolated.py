"""Runs any runner in a child process, so that a runtime that aborts, hangs or eats memory does no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import ml_dtypes  # noqa: F401 - registers its names with `np.dtype`
import numpy as np

from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where, error
from edgekit.runners import wire
from edgekit.runners.base import Array, Held, Payload, Port, Ports, RunnerBase
from edgekit.runners.table import runner_class

_START_S = 120.0
_MEMORY_BASE = 1536 * 2**20
_MEMORY_FACTOR = 64


class IsolatedRunner(RunnerBase):
    """A runner in a child process, which is started on use and again after it died.

    Attributes:
        name: The runtime's name.
        package: The runtime's distribution.
        caveat: See `Runner`.
    """

    def __init__(
        self,
        backend: str,
        *,
        timeout_s: float = 300.0,
        memory: int | None = None,
        **options: Any,
    ) -> None:
        """Prepares a runner; see `runner_for`.

        Args:
            backend: A backend of the table of runners.
            timeout_s: Longest time for one call, in seconds.
            memory: How many bytes the runtime may add to those it starts with; by default 1.5 GiB and
                64 times the sizes of the model and its inputs.
            options: Options of the runner's class (JSON types).
        """
        kind: Any = runner_class(backend)
        self.name = kind.name
        self.package = kind.package
        self.caveat = kind.caveat
        self._options = {"backend": backend, **options}
        self._timeout_s = timeout_s
        self._memory = memory
        self._child: _Child | None = None
        self._held: Held | None = None
        self._lock = threading.Lock()

    def ports(self, payload: Payload) -> Ports:
        """Loads a model and returns what it takes and gives; see `Runner`."""
        reply, _ = self._call("ports", payload, {})
        return Ports(_ports(reply["inputs"]), _ports(reply["outputs"]))

    def run(
        self, payload: Payload, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs a model once; see `Runner`."""
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        reply, results = self._call("run", payload, arrays, intermediates=list(intermediates))
        return dict(zip(reply["outputs"], results, strict=True))

    def close(self) -> None:
        """Releases the model and ends the child.

        Raises:
            EdgekitError: EK502 if the runtime dies of releasing the model: it has damaged its memory,
                so what it computed is not to be trusted.
        """
        with self._lock:
            child, loaded = self._child, self._held is not None
            if child is None:
                return
            try:
                if loaded:
                    header = {"op": "unload", "memory": None, "seconds": self._timeout_s}
                    self._exchange(child, header, [], "releasing the model")
            finally:
                self._drop()

    def __enter__(self) -> Self:
        self._started()  # it starts while the caller does other things
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if raised is None:
            self.close()
        else:
            self._drop()  # the first failure is the one to report

    def _call(
        self, op: str, payload: Payload, arrays: Mapping[str, Array], **more: Any
    ) -> tuple[wire.Header, list[Array]]:
        with self._lock:
            child = self._started()
            described, sent = self._describe(payload)
            size = sum(array.nbytes for array in arrays.values())
            header = {
                "op": op,
                "payload": described,
                "inputs": list(arrays),
                "memory": self._memory_for(payload, size),
                "seconds": self._timeout_s,
                **more,
            }
            reply, results = self._exchange(child, header, [*sent, *arrays.values()], _DOING[op])
        if "diagnostics" in reply:
            raise EdgekitError(*map(_diagnostic, reply["diagnostics"]))
        return reply, results

    def _describe(self, payload: Payload) -> tuple[wire.Header, list[Array]]:
        """Tells the child which model is meant, sending bytes only once."""
        if self._held is not None and self._held.is_still(payload):
            return {"kind": "same"}, []
        self._held = Held.of(payload)
        if isinstance(payload, bytes):
            return {"kind": "bytes"}, [np.frombuffer(payload, np.uint8)]
        return {"kind": "path", "path": str(payload.absolute())}, []

    def _memory_for(self, payload: Payload, inputs: int) -> int:
        if self._memory is not None:
            return self._memory
        return _MEMORY_BASE + _MEMORY_FACTOR * (_reach(payload) + inputs)

    def _started(self) -> _Child:
        if self._child is None:
            self._held = None
            self._child = _Child(self._options)
        return self._child

    def _exchange(
        self, child: _Child, header: wire.Header, arrays: list[Array], doing: str
    ) -> tuple[wire.Header, list[Array]]:
        try:
            return child.exchange(header, arrays, self._timeout_s)
        except _Died as death:
            self._drop()
            raise self._death(death, doing) from death
        except BaseException:
            self._drop()  # an interrupted exchange leaves the pipe in the middle of a message
            raise

    def _drop(self) -> None:
        child, self._child, self._held = self._child, None, None
        if child is not None:
            child.end()

    def _death(self, death: _Died, doing: str) -> EdgekitError:
        if death.timed_out:
            return error(
                "EK504",
                f"`{self.name}` did not finish {doing} within {self._timeout_s:g} s",
                help="allow more time, or use a smaller input",
                data={"runtime": self.name, "timeout_s": self._timeout_s},
            )
        return error(
            "EK502",
            f"`{self.name}` died of {death.cause} while {doing}",
            notes=death.last_words,
            help="the model file is damaged, or it meets a bug of the runtime",
            data={"runtime": self.name, "cause": death.cause},
        )


_DOING = {"ports": "loading the model", "run": "running the model"}


class _Died(Exception):  # noqa: N818 - an event; the runner makes the error of it
    """The child is gone."""

    def __init__(self, cause: str, timed_out: bool, last_words: tuple[str, ...]) -> None:
        super().__init__(cause)
        self.cause = cause
        self.timed_out = timed_out
        self.last_words = last_words


class _Child:
    """A worker process and the pipes to it."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            # -P: a `numpy.py` in the user's directory is not the numpy that is meant.
            [sys.executable, "-P", "-m", "edgekit.runners.worker", json.dumps(dict(options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(),
        )
        self._is_ready = False
        self._timed_out = False
        self._finalizer = weakref.finalize(self, _kill, self._process)

    def exchange(
        self, header: wire.Header, arrays: Sequence[Array], timeout_s: float
    ) -> tuple[wire.Header, list[Array]]:
        """Sends a request and waits for the answer.

        Raises:
            _Died: If the child ends, or is ended after `timeout_s`.
        """
        if not self._is_ready:
            self._guarded(_START_S, lambda: None)
            self._is_ready = True
        return self._guarded(timeout_s, lambda: wire.send(self._stdin, header, arrays))

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._finalizer()
        self._stderr.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _guarded(self, timeout_s: float, send: Any) -> tuple[wire.Header, list[Array]]:
        timer = threading.Timer(timeout_s, self._time_out)
        timer.daemon = True
        timer.start()
        try:
            send()
            message = wire.receive(self._stdout)
        except (OSError, wire.WireError) as problem:
            raise self._died() from problem
        finally:
            timer.cancel()
            timer.join()
        if message is None or self._timed_out:
            raise self._died()
        return message

    def _time_out(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _died(self) -> _Died:
        self._process.kill()  # it may have closed the pipe and live on
        status = self._process.wait()
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 4096))
        lines = self._stderr.read().decode(errors="replace").splitlines()
        words = tuple(line.strip() for line in lines if line.strip() and not line.startswith("INFO:"))
        return _Died(_cause(status), self._timed_out, words[-6:])


def _environment() -> dict[str, str]:
    """Returns the environment in which the child finds this very edgekit."""
    home = str(Path(__file__).resolve().parents[2])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is None:
            continue
        try:
            pipe.close()
        except BrokenPipeError:
            continue  # what was still to be sent has no reader any more


def _cause(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _reach(payload: Payload) -> int:
    """Returns the bytes of a model; for a file with all that lies beside it, as external data does.

    A Core ML package, or the specification in one, counts with the folders below it, which hold its weights.
    """
    if isinstance(payload, bytes):
        return len(payload)
    folder = payload if payload.suffix == ".mlpackage" else payload.parent
    try:
        entries = folder.rglob("*") if payload.suffix in (".mlpackage", ".mlmodel") else folder.iterdir()
        return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError:
        return 0  # the runner reports what is wrong with the file


def _ports(described: Sequence[Mapping[str, Any]]) -> tuple[Port, ...]:
    return tuple(
        Port(
            p["name"],
            np.dtype(p["dtype"]),
            None if p["shape"] is None else tuple(p["shape"]),
            p["alias"],
        )
        for p in described
    )


def _diagnostic(fields: Mapping[str, Any]) -> Diagnostic:
    where = fields["where"]
    return Diagnostic(
        fields["code"],
        fields["message"],
        Severity(fields["severity"]),
        Where(where["file"], where["line"], tuple(where["nodes"]), where["scope"]),
        tuple(fields["notes"]),
        fields["help"],
        fields["data"],
    )
