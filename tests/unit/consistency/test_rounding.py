"""A model that amplifies its own rounding is not held to a tolerance that it cannot meet itself."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Status, Verdict
from edgekit.consistency import rounding
from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.perturbed import PerturbedSource, moved, perturbed, units
from edgekit.consistency.tolerance import default_tolerance
from edgekit.runners import runner_for

SIZE = 64


def model(big: float, op: str = "Identity") -> onnx.ModelProto:
    """`(x + big) - big`: float32 leaves only the digits of x above the last place of `big`."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "big"], ["sum"]),
            helper.make_node("Sub", ["sum", "big"], ["rest"]),
            helper.make_node(op, ["rest"], ["y"]),
        ],
        "amplifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [SIZE])],
        [onnx.numpy_helper.from_array(np.float32([big]), "big")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.fixture
def samples(rng):
    return [{"x": rng.uniform(0, 100, SIZE).astype(np.float32)} for _ in range(3)]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def settled(proto, samples, fault, **options):
    with runner_for("onnx", isolate=False) as runner:
        payload = proto.SerializeToString()
        pairs = [(y := runner.run(payload, s)["y"], fault(s["x"], y).astype(np.float32)) for s in samples]
    delta = compare_tensor("y", pairs, default_tolerance("float32"))
    assert delta.status is Status.DIFFER
    with PerturbedSource(api.load(proto), samples, isolate=False, **options) as source:
        return rounding.settle(delta, pairs, source)


def test_another_rounding_of_the_same_sum_is_accepted(samples):
    delta = settled(model(1e6), samples, lambda x, y: x)  # without any rounding at all
    assert delta.status is Status.ROUNDING
    assert "on 3 of 3 samples" in delta.notes[-1]


@pytest.mark.parametrize(
    "fault",
    [lambda x, y: y * 1.01, lambda x, y: y + 1, lambda x, y: y[::-1], lambda x, y: np.where(x < 50, y, 50)],
)
def test_faults_stay_differences(samples, fault):
    assert settled(model(1e6), samples, fault).status is Status.DIFFER


def test_one_wrong_element_of_many_stays_a_difference(samples):
    def one(x, y):
        wrong = y.copy()
        wrong[7] += 0.9  # 0.9 % of the range; the rounding of a million is 0.06
        return wrong

    assert settled(model(1e6), samples, one).status is Status.DIFFER


def test_what_is_off_by_much_of_the_range_is_never_excused(samples):
    assert settled(model(1e8), samples, lambda x, y: x).status is Status.DIFFER


def test_a_well_behaved_model_excuses_nothing(samples):
    assert settled(model(1.0), samples, lambda x, y: y + 0.02).status is Status.DIFFER


def test_nan_is_never_excused(samples):
    assert settled(model(1e6), samples, lambda x, y: np.where(x < 50, np.nan, y)).status is Status.DIFFER


def test_without_time_the_difference_stays_and_says_so(samples):
    delta = settled(model(1e6), samples, lambda x, y: x, seconds=1e-9)
    assert delta.status is Status.DIFFER
    assert delta.notes


def test_verification_reports_the_rounding_and_a_stated_tolerance_is_kept():
    from edgekit.consistency.verify import verify

    plain = model(1e6)
    del plain.graph.node[:2], plain.graph.initializer[:]
    plain.graph.node[0].input[0] = "x"
    exact = api.convert(plain, "onnx", verify=False)  # the same function without the rounding
    source = api.load(model(1e6))
    found = verify(source, exact, inputs={"x": np.linspace(0, 100, SIZE, dtype=np.float32)})
    assert (found.verdict, found.deltas[0].status) == (Verdict.VERIFIED, Status.ROUNDING)
    held = verify(source, exact, inputs={"x": np.linspace(0, 100, SIZE, dtype=np.float32)}, tolerance=1e-4)
    assert (held.verdict, held.deltas[0].status) == (Verdict.MISMATCH, Status.DIFFER)


def test_perturbed_models_differ_by_the_seed_alone():
    source = api.load(model(3.0))
    assert perturbed(source, 1) == perturbed(source, 1)
    assert perturbed(source, 1) != perturbed(source, 2)


def test_moved_by_one_unit_in_the_last_place(rng):
    array = np.float32([0, 1, -3, np.inf, np.nan, 1e-30])
    for result in (moved(array, rng) for _ in range(20)):
        assert result[0] == 0
        assert np.isnan(result[4])
        numbers, ours = array[[1, 2, 5]], result[[1, 2, 5]]
        assert (np.abs(ours - numbers) <= np.spacing(np.abs(numbers))).all()
        assert (ours != numbers).all()
    integers = np.arange(3)
    assert moved(integers, rng) is integers


@pytest.mark.parametrize(
    ("op", "shapes", "expected"),
    [
        ("Conv", [(1, 8, 9, 9), (4, 8, 3, 3)], 72**0.5),
        ("ConvTranspose", [(1, 8, 9, 9), (8, 4, 3, 3)], 72**0.5),
        ("MatMul", [(5, 100), (100, 3)], 10),
        ("ReduceSum", [(4, 50)], 25),
        ("Softmax", [(4, 10)], 5),
        ("Exp", [(4, 10)], 1),
        ("MatMul", [(), ()], 1),
    ],
)
def test_units_of_sums(op, shapes, expected):
    names = [f"x{i}" for i in range(len(shapes))]
    result = (4, 1) if op == "ReduceSum" else shapes[0]
    known = dict(zip(names, shapes, strict=True)) | {"y": result}
    assert units(helper.make_node(op, names, ["y"]), known) == pytest.approx(expected)
