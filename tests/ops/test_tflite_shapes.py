"""Ops that change shapes, move or repeat elements, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

DTYPES = ("float32", "float64", "float16", "int8", "uint16", "uint64", "bool")
DYNAMIC = pytest.mark.parametrize("dynamic", [(), (0,)], ids=["static", "dynamic"])
FAST = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def i64(*values):
    return np.asarray(values, np.int64)


@DYNAMIC
@pytest.mark.parametrize("target", [(0, -1), (0, 0, 2, -1), (6, 4), (-1,), (2, 0, 4)])
def test_reshape(bench, draw, target, dynamic):
    bench.check("Reshape", [draw("float32", 2, 3, 4), i64(*target)], const=(1,), dynamic=dynamic)


def test_reshape_to_a_shape_known_at_run_time(bench, draw):
    bench.check("Reshape", [draw("float32", 2, 3, 4), i64(0, 12)], dynamic=(0,))


def test_reshape_of_nothing(bench, draw):
    bench.check("Reshape", [draw("float32", 0, 3, 4), i64(4, 0, 3)], {"allowzero": 1}, const=(1,))
    bench.check("Reshape", [draw("float32", 0, 3, 4), i64(3, -1)], const=(1,))


@DYNAMIC
@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_flatten(bench, draw, axis, dynamic):
    bench.check("Flatten", [draw("float32", 2, 3, 4)], {"axis": axis}, dynamic=dynamic)


@DYNAMIC
def test_squeeze_and_unsqueeze(bench, draw, dynamic):
    bench.check("Unsqueeze", [draw("float32", 2, 3), i64(0, -1)], const=(1,), dynamic=dynamic)
    bench.check("Squeeze", [draw("float32", 2, 1, 3, 1), i64(1, -1)], const=(1,), dynamic=dynamic)


def test_squeeze_of_axes_known_at_run_time_is_refused(bench, draw):
    text = bench.refused("Squeeze", [draw("float32", 2, 1)], dynamic=(0,))
    assert "EK305" in text
    assert "only at run time" in text


@DYNAMIC
@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_of_any_dtype_move(bench, draw, dtype, dynamic):
    x = draw(dtype, 2, 3, 4)
    bench.check("Transpose", [x], {"perm": [2, 0, 1]}, dynamic=dynamic)
    bench.check("Concat", [x, draw(dtype, 2, 5, 4)], {"axis": 1}, dynamic=dynamic)
    bench.check("Split", [x], {"axis": 1, "num_outputs": 2}, outputs=2, dynamic=dynamic)
    bench.check("Slice", [x, i64(-1), i64(-9), i64(1), i64(-1)], const=(1, 2, 3, 4), dynamic=dynamic)
    bench.check("Expand", [x[:, :1], i64(2, 1, 3, 1)], const=(1,), dynamic=dynamic)
    bench.check("Tile", [x, i64(1, 2, 1)], const=(1,), dynamic=dynamic)
    bench.check("Gather", [x, i64(1, -1)], {"axis": 2}, const=(1,), dynamic=dynamic)
    bench.check("Where", [draw("bool", 3, 1), x, x[:1]], dynamic=dynamic)
    bench.check("Trilu", [x], {"upper": 0}, dynamic=dynamic)


def test_more_axes_than_xnnpack_takes(bench, draw):
    x, y = draw("float32", 2, 3, 1, 2, 1, 2, 2), draw("float32", 2, 3, 1, 2, 1, 3, 2)
    bench.check("Concat", [x, y], {"axis": -2})
    bench.check("Split", [x], {"axis": 5, "num_outputs": 2}, outputs=2)
    bench.check("ReduceSum", [x, i64(1, 3, 5)], {"keepdims": 0}, const=(1,))
    bench.check("ReduceMax", [x, i64(1, 3, 5)], {"keepdims": 1}, const=(1,), dynamic=(0,))


@DYNAMIC
@pytest.mark.parametrize("lengths", [(1, 5), (0, 6), (3, 3)])
def test_split_by_lengths(bench, draw, lengths, dynamic):
    bench.check(
        "Split", [draw("float32", 2, 6), i64(*lengths)], {"axis": 1}, outputs=2, const=(1,), dynamic=dynamic
    )


@FAST
@given(data=st.data())
def test_slice(bench, data):
    """Any bounds and steps, known when converting or at run time, on known and unknown sizes.

    ONNX Runtime alone reads the largest integer as "to the front" in a backward slice: left out.
    """
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    bound = st.one_of(st.integers(-7, 7), st.sampled_from([2**63 - 1, -(2**63) + 1]))
    starts, ends = (data.draw(st.lists(bound, min_size=len(axes), max_size=len(axes))) for _ in range(2))
    step = st.integers(-3, 3).filter(bool)
    steps = data.draw(st.lists(step, min_size=len(axes), max_size=len(axes)))
    assume(not any(e > 9 and s < 0 for e, s in zip(ends, steps, strict=True)))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    operands = [x, i64(*starts), i64(*ends), i64(*axes), i64(*steps)]
    const = data.draw(st.sampled_from([(1, 2, 3, 4), (3, 4)]))
    dynamic = data.draw(st.sampled_from([(), (0,)]))
    bench.check("Slice", operands, const=const, dynamic=dynamic)


@pytest.mark.parametrize("const", [(1, 2, 3, 4), (3, 4)])
@pytest.mark.parametrize("dynamic", [(), (0,)])
def test_backward_slice_starts_no_earlier_than_the_first_element(bench, const, dynamic):
    operands = [np.arange(1, 6, dtype=np.float32), i64(-100), i64(-200), i64(0), i64(-1)]
    bench.check("Slice", operands, const=const, dynamic=dynamic, expected=[np.float32([1])])


@FAST
@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    target=st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=5),
    const=st.sampled_from([(), (1,)]),
    dynamic=st.sampled_from([(), (0,)]),
)
def test_expand_broadcasts_both_ways(bench, shape, target, const, dynamic):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    try:
        want = np.broadcast_shapes(x.shape, tuple(target))
    except ValueError:
        return
    bench.check(
        "Expand", [x, i64(*target)], const=const, dynamic=dynamic, expected=[np.broadcast_to(x, want)]
    )


@DYNAMIC
def test_shape_and_size(bench, draw, dynamic):
    x = draw("float32", 4, 1, 6)
    for attrs in ({}, {"start": -2}, {"end": 1}, {"start": 2, "end": 1}):
        bench.check("Shape", [x], attrs, dynamic=dynamic)
    bench.check("Size", [x], dynamic=dynamic)


@DYNAMIC
@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [None, -1, 2])
def test_trilu(bench, draw, upper, k, dynamic):
    operands = [draw("float32", 2, 4, 5), *([] if k is None else [np.int64(k)])]
    for const in ((), (1,)):
        bench.check("Trilu", operands, {"upper": upper}, const=const, dynamic=dynamic)


@DYNAMIC
@pytest.mark.parametrize("k", [-2, 0, 1])
def test_eye_like(bench, draw, k, dynamic):
    bench.check("EyeLike", [draw("float32", 4, 5)], {"k": k, "dtype": 7}, dynamic=dynamic)
    bench.check("EyeLike", [draw("int32", 300, 400)], {"k": k}, dynamic=dynamic)


@pytest.mark.parametrize("bounds", [(0, 10, 3), (10, 0, -3), (5, 5, 1), (0, 10, -1)])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_range(bench, bounds, dtype):
    bench.check("Range", [np.asarray(v, dtype) for v in bounds])


@pytest.mark.parametrize("bounds", [(0, 0.3, 0.1), (0.7, -3, -0.3), (1, 2, 1e-3)])
def test_range_of_floats_counts_partial_steps(bench, bounds):
    bench.check("Range", [np.asarray(v, np.float32) for v in bounds], rtol=1e-6)


def test_large_constant_of_shape_is_not_stored(bench):
    from edgekit import api
    from tests.ops.conftest import node_model

    model = node_model("ConstantOfShape", [i64(2000, 2000)], None, 1, (), (), 25)
    assert artifact_size(api.convert(model, "tflite", verify=False)) < 10_000
    bench.check("ConstantOfShape", [i64(300, 300)])


def artifact_size(artifact):
    return artifact.files[0].size


@DYNAMIC
@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
def test_one_hot(bench, rng, axis, dtype, dynamic):
    low = 0 if dtype == "uint8" else -6
    operands = [rng.integers(low, 7, (2, 3)).astype(dtype), np.int64(5), np.asarray([2, 7], np.float32)]
    bench.check("OneHot", operands, {"axis": axis}, const=(1, 2), dynamic=dynamic)
