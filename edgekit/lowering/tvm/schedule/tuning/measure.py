"""Measures in a child process, which never outlives a deadline or its parent's interest."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgekit.lowering.tvm.schedule.tuning.message import Answer, Function

NONE = Answer(None, None)


class OutOfTime(Exception):  # noqa: N818 - an event, not an error
    """The deadline passed before a measurement was done."""


class Meter:
    """Compares functions in a child process; a context manager, which ends the child in any case."""

    def __init__(self, deadline: float) -> None:
        """Starts the child, which takes seconds to be ready while the caller does other things.

        Args:
            deadline: When to stop, in `time.monotonic()`'s seconds.
        """
        self._deadline = deadline
        self._child = _Child()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.end()

    def compare(self, rule: Function, candidate: Function) -> Answer:
        """Compares two functions; one that ends the child cannot be measured.

        Raises:
            OutOfTime: If the deadline passes meanwhile.
        """
        answer = self._child.ask((rule, candidate), self._deadline)
        if answer is None:
            self._child.end()
            if time.monotonic() >= self._deadline:
                raise OutOfTime
            self._child = _Child()
        return answer or NONE


class _Child:
    def __init__(self) -> None:
        home = str(Path(__file__).resolve().parents[5])
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "edgekit.lowering.tvm.schedule.tuning.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TVM_NUM_THREADS": "1"},
        )

    def ask(self, pair: tuple[Function, Function], deadline: float) -> Answer | None:
        """Returns the answer, or None if the child dies, or is ended at the deadline."""
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            return self._exchanged(pair)
        except (EOFError, OSError, pickle.UnpicklingError):
            return None
        finally:
            timer.cancel()

    def _exchanged(self, pair: tuple[Function, Function]) -> Answer:
        into: Any = self._process.stdin
        out: Any = self._process.stdout
        pickle.dump(pair, into)
        into.flush()
        answer: Answer = pickle.load(out)
        return answer

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                continue  # what was still to be sent has no reader any more
