"""Models of one op."""

from __future__ import annotations

import pytest

from edgekit.compat.oneop import Draw, one_op, op_names
from edgekit.compat.oneop.model import Meaningless
from edgekit.diagnostics import EdgekitError
from edgekit.lowering.tflite.reader import read_tflite


@pytest.mark.parametrize("name", op_names())
def test_the_base_of_each_family_is_a_file_of_that_op(name: str) -> None:
    made = one_op(name, Draw())
    (op,) = read_tflite(made.to_bytes()).main.ops
    assert op.op == name
    assert [v.shape for v in op.outputs] == [v.shape for v in made.emitted.outputs]
    assert made.knobs == {}


def test_the_same_seed_gives_the_same_file() -> None:
    first, again = (one_op("CONV_2D", Draw(seed=2)) for _ in range(2))
    assert first.to_bytes() == again.to_bytes()
    assert first.to_bytes() != one_op("CONV_2D", Draw(seed=4)).to_bytes()


def test_a_fixed_knob_wins_and_is_told() -> None:
    made = one_op("CONV_2D", Draw(fixed={"stride_h": 5, "padding": "SAME"}, seed=2))
    assert made.emitted.attrs["stride_h"] == 5
    assert "stride_h=5" in str(made)


def test_draws_are_various() -> None:
    seen = set()
    for seed in range(60):
        try:
            seen.add(str(one_op("AVERAGE_POOL_2D", Draw(seed=seed))))
        except Meaningless:
            continue
    assert len(seen) > 40


def test_knobs_that_contradict_each_other() -> None:
    with pytest.raises(Meaningless):
        one_op("CONV_2D", Draw(fixed={"kernel_h": 50, "padding": "VALID"}))


def test_an_op_without_a_family() -> None:
    with pytest.raises(EdgekitError) as caught:
        one_op("SVDF", Draw())
    assert caught.value.diagnostics[0].code == "EK204"
