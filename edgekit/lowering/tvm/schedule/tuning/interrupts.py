"""Ctrl-C that is not lost."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Remembers an interrupt: one that arrives while an object of TVM is deleted is ignored by Python.

    Outside the main thread, where signals never arrive, and where the program handles or ignores Ctrl-C in
    its own way (`nohup`), it does nothing.
    """

    def __enter__(self) -> Self:
        self._seen = False
        main = threading.current_thread() is threading.main_thread()
        self._own = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._own:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own:
            signal.signal(signal.SIGINT, signal.default_int_handler)

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
