"""The process that measures: `python -P -m edgekit.lowering.tvm.schedule.tuning.worker`.

It times pairs of functions that come on its standard input until that closes. What it runs is code of a
schedule that nobody has run before; a crash or an endless loop ends this process only.
"""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edgekit.lowering.tvm.schedule.tuning.message import Answer, Argument, Function

ROUNDS = 9
"""How often two functions take turns; the fastest call of each counts."""
LEAST_US = 1000
"""A function is called as often in a row as takes about so long: a clock cannot time one microsecond."""
LONGEST_S = 60
"""An orphan that hangs in native code ends itself after so long; the parent is done with it much earlier."""


def main() -> None:
    """Serves requests until the parent closes the pipe."""
    inbound, outbound = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what TVM prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then ends this process
    while True:
        try:
            rule, candidate = pickle.load(inbound)
        except EOFError:
            return
        _limit(LONGEST_S)
        pickle.dump(compare(rule, candidate), outbound)
        outbound.flush()
        _limit(0)


def _limit(seconds: int) -> None:
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def compare(rule: Function, candidate: Function) -> Answer:
    """Times two functions, which take turns."""
    pair = [_timer(rule), _timer(candidate)]
    rounds = [[timer() for timer in pair if timer is not None] for _ in range(ROUNDS)]
    fastest = iter(map(min, zip(*rounds, strict=True)))
    return Answer(*(None if timer is None else next(fastest) for timer in pair))


def _timer(function: Function) -> Callable[[], float] | None:
    """Loads a function; each call of the result is a call of it and returns how long that took."""
    from edgekit.lowering.tvm.adapter import tvm_ffi  # takes seconds

    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        path = Path(folder, "function.so")
        path.write_bytes(function.library)
        call = tvm_ffi.load_module(str(path))["main"]
    values = [_value(a) for a in function.arguments]
    try:
        call(*values)
    except (RuntimeError, ValueError, TypeError):  # what TVM's errors derive from
        return None

    def timed(count: int = 1) -> float:
        start = time.perf_counter()
        for _ in range(count):
            call(*values)
        return round((time.perf_counter() - start) / count * 1e6, 3)

    return partial(timed, min(1000, max(1, int(LEAST_US / timed()))))


def _value(argument: Argument) -> object:
    import numpy as np

    from edgekit.lowering.tvm.adapter import tensor

    if argument.shape is None:
        return 1
    rng, dtype = np.random.default_rng(0), np.dtype(argument.dtype)
    if dtype.kind == "f":
        return tensor(rng.standard_normal(argument.shape).astype(dtype))
    return tensor(rng.integers(0, 2, argument.shape).astype(dtype))


if __name__ == "__main__":
    main()
