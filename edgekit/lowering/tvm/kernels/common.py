"""What the kernels share: constants, broadcasting, reducers, comparison with NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, is_int, same, te, tir
from edgekit.lowering.tvm.kernels.sizes import choose


def const(value: float, dtype: Any) -> Expr:
    """Makes a number of a dtype, given by name or as TVM's type; infinities and NaN too."""
    return tir.const(value, _name(dtype))


def compute(shape: Sequence[Expr], element: Callable[..., Expr], name: str) -> Tensor:
    """Computes a tensor element by element; `element` takes one index per axis."""
    return te.compute(tuple(shape), element, name=name)


def common_size(a: Expr, b: Expr) -> Expr:
    """Returns the size of an axis after broadcasting."""
    if is_int(a) and int(a) == 1:
        return b
    if (is_int(b) and int(b) == 1) or same(a, b):
        return a
    if is_int(a) or is_int(b):
        return a if is_int(a) else b
    return tir.Select(a == 1, b, a)


def broadcast(*shapes: Sequence[Expr]) -> list[Expr]:
    """Returns the shape after broadcasting."""
    rank = max(map(len, shapes))
    result: list[Expr] = [1] * rank
    for shape in shapes:
        for i, size in enumerate(shape, rank - len(shape)):
            result[i] = common_size(result[i], size)
    return result


def element(x: Tensor, index: Sequence[Expr], shape: Sequence[Expr]) -> Expr:
    """Reads an element of a tensor that is broadcast to a shape."""
    own = index[len(index) - len(x.shape) :]
    sizes = shape[len(shape) - len(x.shape) :]
    return x(*(_place(i, d, s) for i, d, s in zip(own, x.shape, sizes, strict=True)))


def _place(index: Expr, own: Expr, size: Expr) -> Expr:
    if is_int(own):
        return 0 if int(own) == 1 and not (is_int(size) and int(size) == 1) else index
    return index if same(own, size) else choose(own == 1, 0, index)


def is_nan(x: Expr) -> Expr:
    """Tells whether a number is NaN; integers never are."""
    return tir.isnan(x) if dtype_of(x).startswith("float") else tir.const(False, "bool")


def larger(a: Expr, b: Expr) -> Expr:
    """Returns the larger of two numbers, NaN if one of them is NaN."""
    first = a >= b
    return tir.Select(tir.any(first, is_nan(a)) if dtype_of(a).startswith("float") else first, a, b)


def smaller(a: Expr, b: Expr) -> Expr:
    """Returns the smaller of two numbers, NaN if one of them is NaN."""
    first = a <= b
    return tir.Select(tir.any(first, is_nan(a)) if dtype_of(a).startswith("float") else first, a, b)


def lowest(dtype: Any) -> Expr:
    """Returns the smallest number of a dtype, given by name or as TVM's type."""
    dtype = _name(dtype)
    return const(float("-inf"), dtype) if dtype.startswith("float") else tir.min_value(dtype)


def highest(dtype: Any) -> Expr:
    """Returns the largest number of a dtype, given by name or as TVM's type."""
    dtype = _name(dtype)
    return const(float("inf"), dtype) if dtype.startswith("float") else tir.max_value(dtype)


def _name(dtype: Any) -> str:
    return dtype if isinstance(dtype, str) else dtype_of(dtype)


MAXIMUM = te.comm_reducer(larger, lowest, name="maximum")
"""A maximum that keeps NaN, which TVM's own loses."""
MINIMUM = te.comm_reducer(smaller, highest, name="minimum")
PRODUCT = te.comm_reducer(lambda a, b: a * b, lambda dtype: const(1, _name(dtype)), name="product")


def product(sizes: Sequence[Expr]) -> Expr:
    """Multiplies sizes."""
    total: Expr = 1
    for size in sizes:
        total = size if is_int(total) and int(total) == 1 else total * size
    return total
