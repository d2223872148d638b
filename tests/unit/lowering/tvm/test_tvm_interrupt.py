"""Ctrl-C while TVM runs one of our functions ends the command: it is not an error of TVM."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from edgekit.lowering.tvm.schedule.tuning.interrupts import Interrupts

pytest.importorskip("tvm", reason="the extra `tvm` is not installed")


def test_an_interrupt_in_a_callback_of_tvm_stays_one() -> None:
    from edgekit.lowering.tvm.adapter import tvm

    def interrupted() -> None:
        raise KeyboardInterrupt

    call = tvm.runtime.convert(interrupted)
    with pytest.raises(KeyboardInterrupt):
        call()


@pytest.fixture
def as_in_a_terminal() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupt_that_was_swallowed_is_raised_later(as_in_a_terminal: None) -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:  # noqa: PT012 - the signal and its echo
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:  # as a destructor does
            swallowed = True
        assert swallowed
        interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_have_no_interrupts() -> None:
    def quiet() -> None:
        with Interrupts() as interrupts:
            interrupts.check()

    thread = threading.Thread(target=quiet)
    thread.start()
    thread.join()
