"""Ctrl-C that is not lost."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Remembers an interrupt: one that arrives while an object of TVM is deleted is ignored by Python.

    Outside the main thread, where signals never arrive, it does nothing.
    """

    def __enter__(self) -> Self:
        self._seen = False
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._seen = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raises the interrupt if there was one.

        Raises:
            KeyboardInterrupt: If there was.
        """
        if self._seen:
            raise KeyboardInterrupt
