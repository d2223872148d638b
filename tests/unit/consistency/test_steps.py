from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit.artifact import Delta, Status
from edgekit.consistency.generate import Generator
from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.steps import settle, step_of
from edgekit.consistency.tolerance import default_tolerance

node = helper.make_node
Make = Callable[..., Any]


@pytest.fixture
def quantised(make_model: Make) -> Any:
    """x -> q (int8) -> d -> y, z = q."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Reshape", ["d", "shape"], ["y"]),
        node("Neg", ["d"], ["n"]),
    ]
    outputs = {"y": ("FLOAT", None), "q": ("INT8", None), "n": ("FLOAT", None)}
    constants = {"s": np.float32(0.5), "z": np.int8(28), "shape": np.array([-1])}
    return make_model(nodes, {"x": ("FLOAT", [1, 500])}, outputs, constants)


def test_steps_are_read_off_the_graph(quantised: Any) -> None:
    assert step_of(quantised, "y") == 0.5
    assert step_of(quantised, "q") == 1
    assert step_of(quantised, "n") is None


def test_inputs_cover_what_the_quantised_type_can_tell_apart(quantised: Any) -> None:
    generator = Generator(quantised)
    x = generator.sample(0, generator.sizes(0, 1))["x"]
    assert -78 <= x.min() < -70
    assert 42 < x.max() <= 49.5


def settled(offsets: dict[int, float], step: float = 0.5) -> Delta:
    reference = np.arange(400, dtype=np.float32) * np.float32(0.5)
    actual = reference.copy()
    for index, offset in offsets.items():
        actual[index] += np.float32(offset)
    pairs = [(reference, actual)]
    return settle(compare_tensor("y", pairs, default_tolerance("float32")), step, pairs)


def test_one_step_at_few_elements_is_a_tie() -> None:
    delta = settled({3: 0.5, 9: -0.5})
    assert delta.status is Status.TIE
    assert "2 of 400 elements" in delta.notes[0]


@pytest.mark.parametrize(
    "offsets",
    [{3: 1.0}, {3: np.nan}, dict.fromkeys(range(10), 0.5), {3: 0.2}, {3: 0.5, 4: 0.2}, {3: 0.5, 4: 5.0}],
)
def test_anything_else_is_a_difference(offsets: dict[int, float]) -> None:
    assert settled(offsets).status is Status.DIFFER
