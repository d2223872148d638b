"""Reductions, extrema and running sums."""

from __future__ import annotations

import numpy as np
import pytest

DYNAMIC = pytest.mark.parametrize("dynamic", [(), (0,)], ids=["static", "dynamic"])
REDUCTIONS = (
    "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp",
)  # fmt: skip
EXTREMA = ("float32", "float16", "int8", "uint8", "int32", "int64", "uint64", "uint32")


@DYNAMIC
@pytest.mark.parametrize("op", REDUCTIONS)
def test_axes(bench, draw, op, dynamic):
    x = np.abs(draw("float32", 3, 4, 5))
    for axes in ((1,), (-1, 0), (0, 1, 2), None):
        operands = [x] if axes is None else [x, np.asarray(axes)]
        for keep in (0, 1):
            bench.check(op, operands, {"keepdims": keep}, const=(1,), dynamic=dynamic)
    nothing = [x, np.zeros(0, np.int64)]
    bench.check(op, nothing, {"noop_with_empty_axes": 1}, const=(1,), dynamic=dynamic)


@pytest.mark.parametrize("op", [op for op in REDUCTIONS if op != "ReduceMean"])
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions_of_nothing(bench, op, keep):
    bench.check(op, [np.zeros((2, 0, 4), np.float32), np.asarray([1])], {"keepdims": keep}, const=(1,))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
@pytest.mark.parametrize(("op", "function"), [("ReduceSum", np.sum), ("ReduceProd", np.prod)])
def test_integers_wrap(bench, draw, op, function, dtype):
    x = draw(dtype, 3, 4, 5)
    with np.errstate(all="ignore"):
        want = function(x, axis=1, keepdims=True, dtype=dtype)
    bench.check(op, [x, np.asarray([1])], const=(1,), expected=[want])


@pytest.mark.parametrize("dtype", [*EXTREMA, "bool"])
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_extrema_of_any_dtype(bench, draw, op, dtype):
    bench.check(op, [draw(dtype, 3, 4, 5), np.asarray([0, 2])], const=(1,))


def test_log_sum_exp_neither_overflows_nor_loses_infinities(bench):
    x = np.float32([[-np.inf, -np.inf], [np.inf, 1], [-np.inf, 3], [100, 200]])
    want = np.float32([-np.inf, np.inf, 3, 200])
    bench.check("ReduceLogSumExp", [x, np.asarray([1])], {"keepdims": 0}, const=(1,), expected=[want])


@DYNAMIC
@pytest.mark.parametrize("dtype", EXTREMA)
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_first_and_last_of_equal_elements(bench, rng, op, dtype, dynamic):
    x = rng.integers(0, 4, (3, 4, 5)).astype(dtype)
    for axis in (0, -1):
        for last in (0, 1):
            attrs = {"axis": axis, "select_last_index": last, "keepdims": last}
            bench.check(op, [x], attrs, dynamic=dynamic)


@DYNAMIC
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int64", "uint64", "uint8"])
@pytest.mark.parametrize("largest", [0, 1])
def test_top_k_takes_the_first_of_equal_elements(bench, draw, rng, dtype, largest, dynamic):
    for x in (rng.integers(0, 4, (3, 4, 5)).astype(dtype), draw(dtype, 3, 4, 5)):
        for axis in (0, 1, -1):
            attrs = {"axis": axis, "largest": largest}
            bench.check("TopK", [x, np.asarray([2])], attrs, outputs=2, const=(1,), dynamic=dynamic)
    bench.check("TopK", [x, np.asarray([2])], {"largest": largest}, outputs=2, dynamic=dynamic)


@pytest.mark.parametrize("op", ["CumSum", "CumProd"])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32"])
def test_running(bench, draw, op, exclusive, reverse, dtype):
    attrs = {"exclusive": exclusive, "reverse": reverse}
    for axis in (0, -1):
        bench.check(op, [draw(dtype, 3, 4, 5), np.asarray(axis)], attrs, const=(1,))


def test_running_product_of_an_unknown_length_is_refused(bench):
    text = bench.refused("CumProd", [np.ones(3, np.float32), np.asarray(0)], const=(1,), dynamic=(0,))
    assert text.startswith("EK305")
