"""Arithmetic of sizes and indices: Python integers where all is known, else expressions of TIR."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.lowering.tvm.adapter import Expr, dtype_of, is_int, tir


def number(x: Expr) -> Expr:
    """Returns a Python integer where the expression is one."""
    return int(x) if is_int(x) else x


def choose(condition: Expr, a: Expr, b: Expr) -> Expr:
    """Returns `a` where the condition holds, else `b`."""
    if isinstance(condition, bool):
        return a if condition else b
    return tir.Select(condition, _wide(a), _wide(b))


def least(a: Expr, b: Expr) -> Expr:
    """The smaller of two sizes."""
    a, b = number(a), number(b)
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else tir.min(_wide(a), _wide(b))


def most(a: Expr, b: Expr) -> Expr:
    """The larger of two sizes."""
    a, b = number(a), number(b)
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else tir.max(_wide(a), _wide(b))


def quotient(a: Expr, b: Expr) -> Expr:
    """A / b, rounded down."""
    a, b = number(a), number(b)
    return a // b if isinstance(a, int) and isinstance(b, int) else tir.floordiv(_wide(a), _wide(b))


def from_front(index: Expr, size: Expr) -> Expr:
    """Makes an index count from the front; ONNX counts negative ones from the end."""
    index, size = number(index), number(size)
    if isinstance(index, int):
        return index + size if index < 0 else index
    return tir.Select(index < 0, index + tir.const(size, dtype_of(index))
                      if isinstance(size, int) else index.astype("int64") + size, index)  # fmt: skip


def within(index: Expr, size: Expr) -> Expr:
    """Makes an index count from the front and lie within an axis.

    An index that a model computes wrongly is an error in ONNX; a kernel cannot raise one, so it takes the
    nearest element instead of what lies beside the tensor.
    """
    place, size = number(from_front(index, size)), number(size)
    if isinstance(place, int) and isinstance(size, int):
        return min(max(place, 0), size - 1)
    last = tir.const(size - 1, dtype_of(place)) if isinstance(size, int) else size - 1
    return tir.max(tir.min(place, last), tir.const(0, dtype_of(place)))


def is_within(index: Expr, size: Expr) -> Expr:
    """Tells whether an index that counts from the front lies within an axis."""
    return tir.all(index >= 0, index < size)


def slice_bounds(begin: Expr, end: Expr, step: Expr, size: Expr) -> tuple[Expr, Expr]:
    """Returns the first element and the number of elements that a slice takes of an axis.

    Source: ONNX operator Slice; unlike Python's, a backward slice starts no earlier than element 0.
    """
    begin, end, step, size = (number(v) for v in (begin, end, step, size))
    begin = choose(begin < 0, begin + size, begin)
    end = choose(end < 0, end + size, end)
    forward = step > 0
    first = choose(forward, most(0, least(begin, size)), most(0, least(begin, size - 1)))
    last = choose(forward, most(0, least(end, size)), most(-1, least(end, size - 1)))
    ahead = quotient(last - first + step - 1, step)
    back = quotient(first - last - step - 1, -step)
    return first, most(0, choose(forward, ahead, back))


def unravel(flat: Expr, shape: Sequence[Expr]) -> list[Expr]:
    """Returns the coordinates of a position in row-major order."""
    coordinates: list[Expr] = []
    for size in reversed(shape):
        coordinates.insert(0, flat % size)
        flat = flat // size
    return coordinates


def ravel(index: Sequence[Expr], shape: Sequence[Expr]) -> Expr:
    """Returns the position of coordinates in row-major order."""
    flat: Expr = 0
    for i, size in zip(index, shape, strict=True):
        flat = flat * size + i
    return flat


def _wide(x: Expr) -> Expr:
    if isinstance(x, int):
        return tir.const(x, "int64")
    return x if dtype_of(x) == "int64" else x.astype("int64")
