"""Codes: the integers behind reals of a quantised model, and sums of products of them.

DequantizeLinear leaves beside its result the integers that it was made of. A convolution or a product of
matrices whose operands have such codes sums products of int16 (codes less zero points) in int32, exactly, and
scales the sum once; what follows (bias, activation, QuantizeLinear) is computed on the sum while it is in
registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value

if TYPE_CHECKING:
    from edgekit.lowering.tvm.builder import TVMBuilder

EIGHT_BITS = (np.dtype(np.int8), np.dtype(np.uint8))
_MOST = np.iinfo(np.int32).max
_SLACK = 1e-6
"""Relative: scales this close are one scale."""


class Unfit(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """An op cannot compute on codes; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """real = (value - zero) * scale.

    Attributes:
        value: The integers.
        scale: Rank 0, or one per element of an axis; float32.
        zero: The same for zero points; int32.
        axis: The axis that scales run along; `None` if there is one scale.
    """

    value: Value
    scale: NDArray[np.float32]
    zero: NDArray[np.int32]
    axis: int | None = None

    def same(self, other: Codes) -> bool:
        """Tells whether the integers of two values mean the same reals."""
        return (
            self.axis is None
            and other.axis is None
            and self.value.dtype == other.value.dtype
            and bool(self.zero == other.zero)
            and bool(np.isclose(self.scale, other.scale, rtol=_SLACK, atol=0))
        )

    def along(self, values: NDArray[Any]) -> NDArray[Any]:
        """Shapes scales or zero points so that they broadcast against the integers."""
        if self.axis is None:
            return values.reshape(())
        return values.reshape([-1 if i == self.axis else 1 for i in range(self.value.rank)])

    def transposed(self, b: TVMBuilder) -> Codes:
        """Returns the codes of a transposed matrix."""
        axis = None if self.axis is None else 1 - self.axis
        return replace(self, value=b.transpose(self.value, (1, 0)), axis=axis)

    def reach(self) -> int:
        """Returns the largest magnitude that codes less their zero point can have."""
        limits = np.iinfo(self.value.dtype)
        return int(max(np.abs(limits.max - self.zero).max(), np.abs(limits.min - self.zero).max()))


def centred(b: TVMBuilder, codes: Codes) -> Value:
    """Returns codes less their zero points, in int16."""
    known = b.centred.get(codes.value)
    if known is not None:
        return known
    if codes.value.data is not None:
        made = b.const((codes.value.data.astype(np.int32) - codes.along(codes.zero)).astype(np.int16))
    else:
        wide = b.cast(codes.value, np.int16)
        made = (
            b.map("subtract", wide, b.const(codes.zero.reshape(()).astype(np.int16))) if codes.zero else wide
        )
        b.centred[codes.value] = made
    return made


def factors(x: Codes | None, w: Codes | None, channel: int, summed: Sequence[int]) -> tuple[Codes, Codes]:
    """Checks that two operands can be multiplied as integers.

    Args:
        x: The left operand, with one scale.
        w: The right operand, with one scale or one for each result channel.
        channel: The axis of `w` that is the channel of the result.
        summed: The axes of `w` that are summed over.

    Raises:
        Unfit: If they cannot.
    """
    for name, codes in (("left", x), ("right", w)):
        if codes is None:
            raise Unfit(f"its {name} operand is not quantised by constant scales")
        if codes.value.dtype not in EIGHT_BITS:
            raise Unfit(f"its {name} operand is {codes.value.dtype}, not int8 or uint8")
    assert x is not None
    assert w is not None
    if x.axis is not None or w.axis not in (None, channel):
        raise Unfit("its scales run along an axis that it sums over")
    if w.value.data is None and w.axis is not None:
        raise Unfit("its right operand has several scales and is no constant")
    sizes = [w.value.shape[axis] for axis in summed]
    if w.value.data is not None:
        whole = np.abs(w.value.data.astype(np.int64) - w.along(w.zero))
        most = int(whole.sum(axis=tuple(summed)).max(initial=0)) * x.reach()
    elif None in sizes:
        raise Unfit("how many products it sums is known only at run time")
    else:
        most = int(np.prod([int(d or 0) for d in sizes])) * x.reach() * w.reach()
    if most > _MOST:
        raise Unfit("its sums may leave int32")
    return x, w


def scaled(b: TVMBuilder, sums: Value, x: Codes, w: Codes, bias: Value | None, axis: int) -> Value:
    """Turns integer sums into reals; a bias in units of the sums is added before, others after it.

    Args:
        b: The builder.
        sums: Sums of products of centred codes, int32.
        x: The left factor.
        w: The right factor.
        bias: One real per channel.
        axis: The axis of the channels.
    """
    unit = x.scale.astype(np.float64) * w.scale.astype(np.float64)
    own = None if bias is None else b.codes.get(bias)
    if bias is not None and own is not None and _has_unit(own, unit):
        sums = b.map("add", sums, _along_channel(b, own.value, sums.rank, axis))
        bias = None
    factor = _along_channel(b, b.const(unit.astype(np.float32)), sums.rank, axis)
    real = b.map("multiply", b.cast(sums, np.float32), factor)
    return real if bias is None else b.map("add", real, _along_channel(b, bias, sums.rank, axis))


def _has_unit(bias: Codes, unit: NDArray[np.float64]) -> bool:
    fits = bias.value.dtype == np.int32 and bias.value.data is not None and not bias.zero.any()
    return fits and bool(np.allclose(bias.scale, unit, rtol=_SLACK, atol=0))


def _along_channel(b: TVMBuilder, value: Value, rank: int, axis: int) -> Value:
    if value.rank == 0:
        return value
    if value.static_shape == (1,):
        return b.reshape(value, ())
    return b.unsqueeze(value, [i for i in range(rank) if i != axis]) if value.rank == 1 else value


def mean(b: TVMBuilder, codes: Codes, axes: Sequence[int], *, keep: bool = True) -> Value:
    """Averages codes with one scale over axes: a sum of integers, scaled once.

    Raises:
        Unfit: If the number of elements is not known, or the sum may leave int32.
    """
    sizes = [codes.value.shape[axis] for axis in axes]
    if codes.axis is not None or codes.value.dtype not in EIGHT_BITS or None in sizes or 0 in sizes:
        raise Unfit("the elements of its mean are not 8-bit integers of known number and one scale")
    count = int(np.prod([int(d or 0) for d in sizes]))
    if count * codes.reach() > _MOST:
        raise Unfit("its sums may leave int32")
    sums = b.reduce("reduce_sum", b.cast(centred(b, codes), np.int32), axes, keep=keep)
    factor = np.float32(np.float64(codes.scale.reshape(())) / count)
    return b.map("multiply", b.cast(sums, np.float32), b.const(factor))


_MOVES = {
    **dict.fromkeys(("reshape", "transpose", "unsqueeze", "squeeze", "cut", "slice", "max_pool"), 1),
    **dict.fromkeys(("broadcast_to", "gather", "depth_to_space", "space_to_depth", "tile", "reduce_max"), 1),
    "concat": None,
}
"""Kernels that only move or pick elements, and how many of their operands these are (`None`: all)."""


def moved(b: TVMBuilder, name: str, inputs: Sequence[Value | None], attrs: Any, result: Value) -> None:
    """Does to codes what a kernel does to the reals; whichever of the two nobody reads is dropped."""
    if name not in _MOVES or result.dtype != np.float32:
        return
    count = _MOVES[name]
    data = [None if v is None else b.codes.get(v) for v in inputs[:count]]
    first = data[0] if data else None
    if first is None or not all(c is not None and first.same(c) for c in data):
        return
    given = [c.value for c in data if c is not None] + list(inputs[len(data) :])
    made = b.value(first.value.dtype, result.shape)
    b.append(name, given, (made,), attrs)
    b.codes[result] = replace(first, value=made)
