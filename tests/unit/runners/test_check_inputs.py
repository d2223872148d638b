from __future__ import annotations

import numpy as np
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.runners import Port
from edgekit.runners.base import check_inputs

PORTS = (
    Port("x:0", np.dtype(np.float32), (None, 3), alias="x"),
    Port("n", np.dtype(np.int64), ()),
    Port("s", np.dtype(object), None),
)
GOOD = {"x": np.zeros((2, 3), np.float32), "n": np.int64(1), "s": np.array(["a"])}


def problems(inputs: dict[str, object]) -> list[str]:
    with pytest.raises(EdgekitError) as error:
        check_inputs(PORTS, inputs)  # type: ignore[arg-type]
    assert {d.code for d in error.value.diagnostics} == {"EK505"}
    return [d.message for d in error.value.diagnostics]


def test_good_inputs_come_back_by_name_in_order() -> None:
    shuffled = {key: GOOD[key] for key in ("s", "n", "x")}
    assert list(check_inputs(PORTS, shuffled)) == ["x:0", "n", "s"]
    assert list(check_inputs(PORTS, {**GOOD, "x:0": GOOD["x"]})) == ["x:0", "n", "s"]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = problems({"x": np.zeros((2, 4)), "y": np.zeros(1), "s": np.zeros(2)})
    assert said == [
        "the model has no input `y`",
        "the input `x:0` has dtype float64 instead of float32 and shape [2, 4] instead of [?, 3]",
        "the input `n` is missing: int64 []",
        "the input `s` has dtype float64 instead of string",
    ]


def test_another_rank_does_not_fit() -> None:
    assert problems({**GOOD, "n": np.zeros(1, np.int64)}) == ["the input `n` has shape [1] instead of []"]
