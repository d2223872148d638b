"""Ctrl-C while TVM runs one of our functions ends the command: it is not an error of TVM."""

from __future__ import annotations

import pytest

pytest.importorskip("tvm", reason="the extra `tvm` is not installed")


def test_an_interrupt_in_a_callback_of_tvm_stays_one() -> None:
    from edgekit.lowering.tvm.adapter import tvm

    def interrupted() -> None:
        raise KeyboardInterrupt

    call = tvm.runtime.convert(interrupted)
    with pytest.raises(KeyboardInterrupt):
        call()
