from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx.reference
import pytest
from onnx import helper

from edgekit.consistency.generate import Generator
from edgekit.consistency.ranges import wanted_of
from edgekit.consistency.samples import Sample
from edgekit.ir import Model

node = helper.make_node
Make = Callable[..., Any]


def draw(model: Model, count: int = 6, inner: int = 8, **options: Any) -> list[Sample]:
    generator = Generator(model, **options)
    return [generator.sample(i, generator.sizes(i, inner)) for i in range(count)]


def one(make_model: Make, nodes: list, kind: str = "FLOAT", shape: Any = (4,), **more: Any) -> Model:
    constants = more.pop("constants", None)
    others = more.pop("inputs", {})
    return make_model(
        nodes, {"x": (kind, list(shape)), **others}, {"y": more.pop("out", (kind, None))}, constants
    )


def test_samples_are_seeded(make_model: Make) -> None:
    model = one(make_model, [node("Neg", ["x"], ["y"])])
    first, again, other = draw(model), draw(model), draw(model, seed=1)
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a["x"], b["x"])
        assert (a["x"] != c["x"]).any()
    assert len({s["x"].tobytes() for s in first}) == len(first)


def test_an_inputs_values_do_not_depend_on_the_other_inputs(make_model: Make) -> None:
    alone = one(make_model, [node("Neg", ["x"], ["y"])])
    both = one(make_model, [node("Add", ["x", "z"], ["y"])], inputs={"z": ("FLOAT", [4])})
    np.testing.assert_array_equal(draw(alone)[0]["x"], draw(both)[0]["x"])


def test_batches_take_turns_and_symbols_are_bound_alike(make_model: Make) -> None:
    model = one(
        make_model,
        [node("Add", ["x", "z"], ["y"])],
        shape=("N", "T", 3),
        inputs={"z": ("FLOAT", ["N", "T", 3])},
    )
    shapes = [(s["x"].shape, s["z"].shape) for s in draw(model, 4)]
    assert [a for a, b in shapes] == [(1, 8, 3), (2, 8, 3), (3, 8, 3), (1, 8, 3)]
    assert all(a == b for a, b in shapes)


def test_images_are_tried_at_image_sizes(make_model: Make) -> None:
    image = one(make_model, [node("Neg", ["x"], ["y"])], shape=("N", 3, "H", "W"))
    text = one(make_model, [node("Neg", ["x"], ["y"])], shape=("N", "T"))
    fixed = one(make_model, [node("Neg", ["x"], ["y"])], shape=("N", 4))
    assert next(iter(Generator(image).inner_sizes())) >= 32
    assert next(iter(Generator(text).inner_sizes())) <= 16
    assert list(Generator(fixed).inner_sizes()) == [1]


def test_floats_alternate_between_normal_and_unit(make_model: Make) -> None:
    for shape, unit in (((1, 3, 8, 8), 0), ((1, 64), 1)):
        samples = draw(one(make_model, [node("Neg", ["x"], ["y"])], shape=shape), 2)
        assert samples[unit]["x"].min() >= 0
        assert samples[unit]["x"].max() <= 1
        assert samples[1 - unit]["x"].min() < -0.5


@pytest.mark.parametrize("kind", ["UINT8", "INT8", "INT32", "INT64", "BOOL", "FLOAT16", "DOUBLE", "STRING"])
def test_every_dtype_is_made(make_model: Make, kind: str) -> None:
    model = one(make_model, [node("Identity", ["x"], ["y"])], kind, (50,))
    for sample in draw(model):
        assert sample["x"].dtype == model.inputs[0].dtype
        assert len(set(sample["x"].tolist())) > 1


def test_a_scalar_text_is_an_array(make_model: Make) -> None:
    (sample,) = draw(one(make_model, [node("Identity", ["x"], ["y"])], "STRING", ()), 1)
    assert sample["x"].shape == ()
    assert isinstance(sample["x"].item(), str)


def test_eight_bits_use_all_of_their_range(make_model: Make) -> None:
    for kind, low, high in (("UINT8", 0, 255), ("INT8", -128, 127)):
        x = draw(one(make_model, [node("Identity", ["x"], ["y"])], kind, (4000,)), 1)[0]["x"]
        assert (x.min(), x.max()) == (low, high)


def test_indices_stay_within_the_table_through_other_ops(make_model: Make) -> None:
    table = np.zeros((5, 2), np.float32)
    nodes = [
        node("Cast", ["x"], ["a"], to=7),
        node("Unsqueeze", ["a", "axes"], ["b"]),
        node("Gather", ["w", "b"], ["y"]),
    ]
    model = one(
        make_model, nodes, "INT32", (40,), constants={"w": table, "axes": np.array([0])}, out=("FLOAT", None)
    )
    values = np.concatenate([s["x"] for s in draw(model)])
    assert (values.min(), values.max()) == (0, 4)
    assert not np.concatenate([s["x"] for s in draw(model, integers=0)]).any()


def test_two_consumers_narrow_each_other(make_model: Make) -> None:
    nodes = [
        node("Gather", ["a", "x"], ["p"]),
        node("Gather", ["b", "x"], ["q"]),
        node("Add", ["p", "q"], ["y"]),
    ]
    tables = {"a": np.zeros(9, np.float32), "b": np.zeros(4, np.float32)}
    model = one(make_model, nodes, "INT64", (60,), constants=tables, out=("FLOAT", None))
    assert max(s["x"].max() for s in draw(model)) == 3


def test_domains_of_functions_are_kept(make_model: Make) -> None:
    for op, low, high in (
        ("Log", 0, 5),
        ("Sqrt", 0, 5),
        ("Acosh", 1, 5),
        ("Atanh", -1, 1),
        ("Reciprocal", 0, 3),
    ):
        for sample in draw(one(make_model, [node(op, ["x"], ["y"])], shape=(100,))):
            assert sample["x"].min() > low, op
            assert sample["x"].max() < high, op


def test_models_that_normalise_by_themselves_get_pixels(make_model: Make) -> None:
    mean, std = np.float32(127.5), np.float32(128)
    nodes = [node("Sub", ["x", "m"], ["a"]), node("Div", ["a", "s"], ["y"])]
    model = one(make_model, nodes, shape=(1, 8, 8, 3), constants={"m": mean, "s": std})
    assert all(100 < s["x"].max() <= 255 for s in draw(model))
    scaled = one(
        make_model, [node("Mul", ["x", "s"], ["y"])], constants={"s": np.float32(1 / 255)}, shape=(99,)
    )
    assert all(100 < s["x"].max() <= 255 for s in draw(scaled))


def test_scatter_indices_are_distinct(make_model: Make) -> None:
    constants = {"d": np.zeros((6, 3), np.float32), "u": np.ones((4, 3), np.float32)}
    elements = one(
        make_model, [node("ScatterElements", ["d", "x", "u"], ["y"])], "INT64", (4, 3),
        constants=constants, out=("FLOAT", None),
    )  # fmt: skip
    for sample in draw(elements):
        for column in sample["x"].T:
            assert len(set(column.tolist())) == 4
            assert set(column.tolist()) <= set(range(6))
    nd = one(
        make_model, [node("ScatterND", ["d", "x", "u"], ["y"])], "INT64", (4, 2),
        constants=constants | {"u": np.ones(4, np.float32)}, out=("FLOAT", None),
    )  # fmt: skip
    for sample in draw(nd):
        assert len({tuple(row) for row in sample["x"].tolist()}) == 4
        assert (sample["x"] < [6, 3]).all()


RUNNABLE = {
    "Reshape": (["d", "x"], (3,), {}),
    "Expand": (["d", "x"], (2,), {}),
    "Tile": (["d", "x"], (2,), {}),
    "Split": (["d", "x"], (3,), {"axis": 0}),
    "ReduceSum": (["d", "x"], (1,), {}),
    "Unsqueeze": (["d", "x"], (1,), {}),
    "Trilu": (["d", "x"], (), {}),
    "TopK": (["d", "x"], (1,), {}),
    "CumSum": (["d", "x"], (), {}),
    "Pad": (["d", "x"], (4,), {}),
}


@pytest.mark.parametrize("op", RUNNABLE)
def test_operands_that_steer_an_op_are_valid(make_proto: Make, make_model: Make, op: str) -> None:
    operands, shape, attributes = RUNNABLE[op]
    outputs = {"Split": ["y", "p", "q"], "TopK": ["y", "p"]}.get(op, ["y"])
    arguments = (
        [node(op, operands, outputs, **attributes)],
        {"x": ("INT64", list(shape))},
        {"y": ("FLOAT", None)},
        {"d": np.arange(18, dtype=np.float32).reshape(6, 3)},
    )
    evaluator = onnx.reference.ReferenceEvaluator(make_proto(*arguments))
    for sample in draw(make_model(*arguments)):
        evaluator.run(None, dict(sample))


def test_an_input_without_consumers_wants_nothing(make_model: Make) -> None:
    model = one(make_model, [node("Neg", ["x"], ["y"])])
    assert wanted_of(model.ir.graph.inputs[0]) is None
