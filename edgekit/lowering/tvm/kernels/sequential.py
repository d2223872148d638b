"""Kernels that are loops with state: running sums, scatters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, IRBuilder, Tensor, dtype_of, script, te, tir
from edgekit.lowering.tvm.kernels import sizes as sz
from edgekit.lowering.tvm.kernels.common import const, larger, product, smaller
from edgekit.lowering.tvm.kernels.table import kernel


def loops(
    results: Sequence[tuple[Sequence[Expr], str]],
    inputs: Sequence[Tensor],
    body: Callable[[list[Any], list[Any]], None],
    name: str,
) -> Any:
    """Makes a kernel of explicit loops.

    Args:
        results: Shape and dtype of each result.
        inputs: The operands.
        body: Writes the loops; it gets operands and results, indexed by flat positions.
        name: Name of the kernel.

    Returns:
        One tensor, or several.
    """

    def build(ins: Sequence[Any], outs: Sequence[Any]) -> Any:
        with IRBuilder() as builder:
            with script.seq_scope():
                body([script.buffer_proxy(i) for i in ins], [script.buffer_proxy(o) for o in outs])
            return builder.get()

    return te.extern(
        [tuple(shape) for shape, _ in results],
        list(inputs),
        build,
        dtype=[dtype for _, dtype in results],
        name=name,
    )


_COMBINE: dict[str, Callable[[Expr, Expr], Expr]] = {
    "set": lambda old, new: new,
    "add": lambda old, new: old + new,
    "multiply": lambda old, new: old * new,
    "maximum": larger,
    "minimum": smaller,
}


@kernel("cumulative")
def cumulative(x: Tensor, *, axis: int, exclusive: bool, reverse: bool, times: bool) -> Tensor:
    """Running sums or products along an axis."""
    inner, length = product(x.shape[axis + 1 :]), x.shape[axis]
    rows = product(x.shape[:axis]) * inner
    start = const(1 if times else 0, dtype_of(x))

    def body(ins: list[Any], outs: list[Any]) -> None:
        (source,), (target,) = ins, outs
        with script.serial(0, rows) as row:
            base = row // inner * (length * inner) + row % inner
            with script.serial(0, length) as t:
                step = length - 1 - t if reverse else t
                here = base + step * inner
                before = here + inner if reverse else here - inner
                read = before if exclusive else here
                with script.If(t == 0):
                    with script.Then():
                        target[here] = start if exclusive else source[here]
                    with script.Else():
                        old = target[before]
                        target[here] = old * source[read] if times else old + source[read]

    return loops([(x.shape, dtype_of(x))], [x], body, "cumulative")


@kernel("scatter_elements")
def scatter_elements(x: Tensor, indices: Tensor, updates: Tensor, *, axis: int, how: str) -> Tensor:
    """Combines elements of `updates` into a copy of `x`, at indices along an axis that lie on it."""
    combine = _COMBINE[how]

    def body(ins: list[Any], outs: list[Any]) -> None:
        source, at, new = ins
        (target,) = outs
        with script.serial(0, product(x.shape)) as i:
            target[i] = source[i]
        with script.serial(0, product(indices.shape)) as i:
            place = sz.unravel(i, indices.shape)
            place[axis] = sz.from_front(at[i], x.shape[axis])
            flat = sz.ravel(place, x.shape)
            with script.If(sz.is_within(place[axis], x.shape[axis])), script.Then():
                target[flat] = combine(target[flat], new[i])

    return loops([(x.shape, dtype_of(x))], [x, indices, updates], body, "scatter_elements")


@kernel("scatter_nd")
def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, how: str) -> Tensor:
    """Combines slices of `updates` into a copy of `x`, at coordinates that lie in it."""
    combine = _COMBINE[how]
    depth = int(indices.shape[-1])
    count, inner = product(indices.shape[:-1]), product(x.shape[depth:])

    def body(ins: list[Any], outs: list[Any]) -> None:
        source, at, new = ins
        (target,) = outs
        with script.serial(0, product(x.shape)) as i:
            target[i] = source[i]
        with script.serial(0, count) as i, script.serial(0, inner) as k:
            place = [sz.from_front(at[i * depth + d], x.shape[d]) for d in range(depth)]
            flat = sz.ravel(place, x.shape[:depth]) * inner + k
            inside = tir.all(*(sz.is_within(p, d) for p, d in zip(place, x.shape[:depth], strict=True)))
            with script.If(inside), script.Then():
                target[flat] = combine(target[flat], new[i * inner + k])

    return loops([(x.shape, dtype_of(x))], [x, indices, updates], body, "scatter_nd")
