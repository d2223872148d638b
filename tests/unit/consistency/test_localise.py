from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit.consistency.localise import localise, observable_names
from edgekit.ir import Model

node = helper.make_node
Make = Callable[..., Any]
F32 = np.float32


@pytest.fixture
def diamond(make_model: Make) -> Model:
    """x -> a -> (b, c) -> d -> y."""
    nodes = [
        node("Neg", ["x"], ["a"], name="n_a"),
        node("Abs", ["a"], ["b"], name="n_b"),
        node("Exp", ["a"], ["c"], name="n_c"),
        node("Add", ["b", "c"], ["d"], name="n_d"),
        node("Neg", ["d"], ["y"], name="n_y"),
    ]
    return make_model(nodes, {"x": ("FLOAT", [3])}, {"y": ("FLOAT", [3])})


def tensors(**offsets: float) -> dict[str, np.ndarray]:
    return {name: np.arange(3, dtype=F32) + F32(offsets.get(name, 0)) for name in "abcdy"}


def test_the_first_in_order_is_named_with_its_origin(diamond: Model) -> None:
    found = localise(diamond, tensors(), tensors(c=1, d=1, y=1)).divergence
    assert found is not None
    assert (found.tensor, found.op_type, found.origin.nodes) == ("c", "Exp", ("n_c",))
    assert found.delta.max_abs == 1
    assert found.unobserved == ()


def test_nothing_differs(diamond: Model) -> None:
    found = localise(diamond, tensors(), tensors())
    assert (found.divergence, found.compared, found.unobserved) == (None, 5, ())


def test_what_cannot_be_observed_is_named_and_not_passed_over(diamond: Model) -> None:
    actual = tensors(d=1, y=1)
    for name in "abc":
        del actual[name]
    found = localise(diamond, tensors(), actual)
    assert found.divergence is not None
    assert found.divergence.tensor == "d"
    assert set(found.divergence.unobserved) == {"a", "b", "c"}
    assert found.unobserved == ("a", "b", "c")


def test_unobserved_tensors_behind_observed_ones_are_innocent(diamond: Model) -> None:
    actual = tensors(y=1)
    del actual["a"]
    found = localise(diamond, tensors(), actual).divergence
    assert found is not None
    assert (found.tensor, found.unobserved) == ("y", ())


def test_rounding_is_no_divergence(diamond: Model) -> None:
    assert localise(diamond, tensors(), tensors(a=1e-7, b=2e-7)).divergence is None


def test_the_same_quantity_in_another_width_is_compared(diamond: Model) -> None:
    source = tensors() | {"a": np.array([1, 2, 3])}
    same = source | {"a": np.array([1, 2, 3], np.int32), "b": source["b"].astype(np.float64)}
    assert localise(diamond, source, same).compared == 5
    found = localise(diamond, source, source | {"a": np.array([1, 2, 4], np.int32)}).divergence
    assert found is not None
    assert found.tensor == "a"


def test_integers_that_stand_for_reals_are_not_observable(diamond: Model) -> None:
    quantised = tensors() | {"a": np.array([-128, 0, 127], np.int8)}
    found = localise(diamond, tensors(), quantised)
    assert (found.divergence, found.unobserved) == (None, ("a",))


def test_another_shape_is_a_divergence(diamond: Model) -> None:
    found = localise(diamond, tensors(), tensors() | {"b": np.zeros((3, 1), F32)}).divergence
    assert found is not None
    assert found.delta.reason == "shape [3, 1] instead of [3]"


def test_observable_names_come_in_order(diamond: Model) -> None:
    assert observable_names(diamond) == ("a", "b", "c", "d", "y")
