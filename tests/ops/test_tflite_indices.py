"""The Gather and Scatter families, and ops whose result's size depends on the data."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

DYNAMIC = pytest.mark.parametrize("dynamic", [(), (0,)], ids=["static", "dynamic"])
CONST = pytest.mark.parametrize("const", [(), (1,)], ids=["indices-at-run-time", "indices-known"])
DTYPES = ("float32", "float16", "int64", "uint64", "bool", "uint8", "float64")


@DYNAMIC
@CONST
@pytest.mark.parametrize("dtype", DTYPES)
def test_gather_family(bench, draw, rng, dtype, const, dynamic):
    x = draw(dtype, 4, 5, 6)
    for kind in (np.int32, np.int64):
        indices = np.asarray([[0, -1], [3, -5]], kind)
        bench.check("Gather", [x, indices], {"axis": 1}, const=const, dynamic=dynamic)
    shorter = rng.integers(-4, 4, (7, 3, 5))
    bench.check("GatherElements", [x, shorter], {"axis": 0}, const=const, dynamic=dynamic)
    bench.check("GatherElements", [x, rng.integers(-6, 6, (4, 5, 2))], {"axis": 2}, const=const)
    bench.check("GatherND", [x, np.asarray([[0, -1], [3, 4], [-4, 0]])], const=const, dynamic=dynamic)
    batched = rng.integers(-6, 6, (4, 5, 2, 1))
    bench.check("GatherND", [x, batched], {"batch_dims": 2}, const=const, dynamic=dynamic)


@DYNAMIC
def test_gather_with_one_index_drops_the_axis(bench, draw, dynamic):
    bench.check("Gather", [draw("float32", 4, 5), np.int64(-1)], {"axis": 0}, dynamic=dynamic)


@DYNAMIC
@CONST
@pytest.mark.parametrize("dtype", DTYPES)
def test_scatter_replaces(bench, draw, rng, dtype, const, dynamic):
    rows = rng.permutation(5)[:3] - 5 * rng.integers(0, 2, 3)
    operands = [draw(dtype, 5, 4, 3), rows[:, None], draw(dtype, 3, 4, 3)]
    bench.check("ScatterND", operands, const=const, dynamic=dynamic)
    flat = rng.permutation(20)[:6]
    places = np.stack([flat // 4, flat % 4 - 4], 1).reshape(2, 3, 2)
    operands = [draw(dtype, 5, 4, 3), places, draw(dtype, 2, 3, 3)]
    bench.check("ScatterND", operands, const=const, dynamic=dynamic)
    along = rng.permuted(np.tile(np.arange(5), (2, 4, 1)), axis=2)[:, :, :3].transpose(0, 2, 1)
    operands = [draw(dtype, 3, 5, 6), along - 5 * rng.integers(0, 2, along.shape), draw(dtype, *along.shape)]
    bench.check("ScatterElements", operands, {"axis": 1}, const=const, dynamic=dynamic)


@DYNAMIC
@CONST
@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_scatter_combines_what_meets_in_one_place(bench, rng, reduction, dtype, const, dynamic):
    def small(*shape):
        return rng.integers(-5, 6, shape).astype(dtype)

    attrs = {"reduction": reduction}
    operands = [small(5, 4), rng.integers(-5, 5, (9, 1)), small(9, 4)]
    bench.check("ScatterND", operands, attrs, const=const, dynamic=dynamic)
    operands = [small(3, 5), rng.integers(-3, 3, (7, 5)), small(7, 5)]
    bench.check("ScatterElements", operands, {"axis": 0, **attrs}, const=const, dynamic=dynamic)


def test_scatter_of_nothing(bench, draw):
    operands = [draw("float32", 5, 4), np.zeros((0, 1), np.int64), draw("float32", 0, 4)]
    bench.check("ScatterND", operands)
    bench.check("ScatterND", operands, const=(1,))


def test_scatter_products_of_int64_are_refused(bench):
    operands = [np.arange(5), np.asarray([[1]]), np.asarray([7])]
    assert "int64 by `mul`" in bench.refused("ScatterND", operands, {"reduction": "mul"})


@DYNAMIC
@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("axis", [-2, 1])
@pytest.mark.parametrize("starts", [None, (1, 2)])
def test_tensor_scatter(bench, draw, mode, axis, starts, dynamic):
    update = draw("float32", 2, 3, 2, 4) if axis == -2 else draw("float32", 2, 1, 5, 4)
    operands = [draw("float32", 2, 3, 5, 4), update, *([] if starts is None else [np.asarray(starts)])]

    def reference(model, feed):
        return ReferenceEvaluator(model).run(None, feed)

    attrs = {"mode": mode, "axis": axis}
    bench.check("TensorScatter", operands, attrs, dynamic=dynamic, reference=reference)


@DYNAMIC
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "bool", "uint8", "float64"])
def test_what_is_not_zero(bench, rng, dtype, dynamic):
    bench.check("NonZero", [rng.integers(0, 3, (3, 4, 5)).astype(dtype)], dynamic=dynamic)
    bench.check("NonZero", [np.zeros((2, 3), dtype)], dynamic=dynamic)


@DYNAMIC
@pytest.mark.parametrize("attrs", [{}, {"axis": 0}, {"axis": -1}])
@pytest.mark.parametrize("condition", [(True, False, True), (False, False), (True, True)])
def test_compress(bench, draw, attrs, condition, dynamic):
    operands = [draw("float32", 3, 4, 5), np.asarray(condition)]
    bench.check("Compress", operands, attrs, dynamic=dynamic)
    bench.check("Compress", operands, attrs, const=(1,), dynamic=dynamic)


@DYNAMIC
@pytest.mark.parametrize("dtype", ["float32", "uint16", "bool"])
def test_reverse_sequence(bench, draw, dtype, dynamic):
    x = draw(dtype, 3, 4, 2)
    for batch, lengths in ((0, (1, 2, 4)), (1, (1, 2, 3, 3))):
        attrs = {"batch_axis": batch, "time_axis": 1 - batch}
        bench.check("ReverseSequence", [x, np.asarray(lengths)], attrs, dynamic=dynamic)
