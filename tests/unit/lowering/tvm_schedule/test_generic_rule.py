"""The fallback computes what TVM's own loops compute, for every dtype and for odd sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("tvm", reason="the backend needs apache-tvm")

from tvm import relax, te, tirx

Check = Callable[..., Any]
Weight = Callable[..., Any]


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 19), (4, 1, 1), ()], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64"])
def test_elementwise(shape: tuple[int, ...], dtype: str, check: Check) -> None:
    check(
        lambda b, x, y: relax.op.maximum(b.emit(relax.op.add(x, y)), b.emit(relax.op.multiply(x, x))),
        [(shape, dtype), (shape, dtype)],
    )


def test_bool(check: Check) -> None:
    check(
        lambda b, x, y: relax.op.logical_not(b.emit(relax.op.logical_and(x, y))),
        [((5, 13), "bool"), ((5, 13), "bool")],
    )


def test_concatenation_of_odd_parts(check: Check) -> None:
    check(
        lambda b, x, y, z: relax.op.concat([x, y, z], axis=1),
        [((2, 3, 7), "float32"), ((2, 1, 7), "float32"), ((2, 5, 7), "float32")],
    )


@pytest.mark.parametrize("axis", [[0], [1], [-1], [0, 2], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("op", ["sum", "max", "min", "prod", "mean"])
def test_reduction(axis: list[int], op: str, check: Check) -> None:
    check(lambda b, x: getattr(relax.op, op)(x, axis), [((3, 5, 37), "float32")])


@pytest.mark.parametrize("op", ["sum", "max", "min"])
def test_integer_reduction(op: str, check: Check) -> None:
    check(lambda b, x: getattr(relax.op, op)(x, [1]), [((3, 75), "int32")])


@pytest.mark.parametrize("axis", [1, -1])
def test_softmax(axis: int, check: Check) -> None:
    check(lambda b, x: relax.op.nn.softmax(x, axis), [((3, 41, 5), "float32")])


def test_layer_norm(check: Check, weight: Weight) -> None:
    scale, shift = weight(1, (33,)), weight(2, (33,))
    check(lambda b, x: relax.op.nn.layer_norm(x, scale, shift, axes=[-1]), [((4, 33), "float32")])


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_pooling(layout: str, check: Check) -> None:
    check(
        lambda b, x: relax.op.nn.avg_pool2d(x, (3, 3), (2, 2), (1, 1, 1, 1), layout=layout),
        [((2, 5, 9, 6), "float32")],
    )


def test_window_with_conditions(check: Check) -> None:
    """A maximum over windows whose taps test whether they lie inside; most windows need no test."""

    def pool(x: te.Tensor) -> te.Tensor:
        taps = [te.reduce_axis((0, 3), name=f"r{i}") for i in range(2)]

        def value(n: Any, c: Any, i: Any, j: Any) -> Any:
            y, z = i * 2 + taps[0] - 1, j * 2 + taps[1] * 2 - 2
            inside = tirx.all(y >= 0, y < 9, z >= 0, z < 11)
            return te.max(tirx.if_then_else(inside, x[n, c, y, z], tirx.min_value("float32")), axis=taps)

        return te.compute((2, 5, 5, 6), value, name="pool")

    check(lambda b, x: b.emit_te(pool, x), [((2, 5, 9, 11), "float32")])


def test_gather_and_transpose(check: Check) -> None:
    def take(x: te.Tensor, at: te.Tensor) -> te.Tensor:
        return te.compute((4, 7, 6), lambda i, j, k: x[tirx.max(at[i], 0) % 5, k, j], name="take")

    check(lambda b, x, at: b.emit_te(take, x, at), [((5, 6, 7), "float32"), ((4,), "int64")])


def test_dynamic_sizes(check: Check) -> None:
    rows, columns = tirx.Var("rows", "int64"), tirx.Var("columns", "int64")
    check(
        lambda b, x: relax.op.nn.softmax(b.emit(relax.op.nn.relu(x))),
        [((rows, columns), "float32")],
        sizes={"rows": 3, "columns": 11},
    )


def test_empty(check: Check) -> None:
    check(lambda b, x: relax.op.add(x, x), [((0, 3), "float32")])


def test_extremum_that_keeps_nan(check: Check) -> None:
    def larger(a: Any, b: Any) -> Any:
        return tirx.Select(tirx.any(a >= b, tirx.isnan(a)), a, b)

    largest = te.comm_reducer(larger, lambda dtype: tirx.const(float("-inf"), dtype), name="largest")

    def top(x: te.Tensor) -> te.Tensor:
        k = te.reduce_axis((0, x.shape[1]), name="k")
        return te.compute((x.shape[0],), lambda i: largest(x[i, k] * x[i, k], axis=k), name="top")

    check(lambda b, x: b.emit_te(top, x), [((3, 77), "float32")])


def test_selection_by_stored_bools(check: Check) -> None:
    """TVM fails on some selections by vectors of stored bools, so these loops stay scalar."""

    def chosen(b: Any, x: Any, m: Any) -> Any:
        equal = b.emit(relax.op.equal(b.emit(relax.op.max(x, [1], keepdims=True)), m))
        return relax.op.where(equal, b.emit(relax.op.multiply(x, x)), x)

    check(chosen, [((4, 6, 9), "float32"), ((4, 1, 9), "float32")])
    check(lambda b, c, x: relax.op.where(c, x, x), [((5, 9), "bool"), ((5, 9), "float32")])


def test_product_masked_by_bools(check: Check, weight: Weight) -> None:
    def masked(b: Any, x: Any, mask: Any) -> Any:
        product = b.emit(relax.op.matmul(x, weight(1, (8, 12))))
        return relax.op.where(mask, product, relax.const(0.0))

    check(masked, [((5, 8), "float32"), ((5, 12), "bool")])
