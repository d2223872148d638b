"""`TVMBuilder`: the ledger builder with the conveniences of TVM's dialect.

An op of the ledger is the name of a kernel (`kernels/`), its operands and its attributes. Sizes known only
at run time are `None` here; the emitter has them as expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.lowering.builder import LedgerBuilder
from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.op import Op, Unlowerable
from edgekit.lowering.tvm.codes import Codes, moved
from edgekit.lowering.tvm.table import TABLE

HALVES = ("float16", "bfloat16")
"""Dtypes that are computed with in float32."""


class TVMBuilder(LedgerBuilder):
    """Emits kernels; constants given to casts and moves are folded at once.

    Attributes:
        codes: The integers behind reals that were dequantised.
        centred: Codes less their zero point, in int16.
        integers: Source nodes that compute on codes.
        reasons: Why other nodes of a quantised model do not.
    """

    table = TABLE

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[Value, Codes] = {}
        self.centred: dict[Value, Value] = {}
        self.integers: set[Any] = set()
        self.reasons: dict[Any, str] = {}

    def op(
        self,
        name: str,
        inputs: Sequence[Value | None],
        attrs: Mapping[str, Any] | None = None,
        *,
        dtype: Any,
        shape: Shape,
    ) -> Value:
        """Emits a kernel with one result of a given dtype and shape."""
        return self.multi(name, inputs, [(dtype, shape)], attrs)[0]

    def multi(
        self,
        name: str,
        inputs: Sequence[Value | None],
        results: Sequence[tuple[Any, Shape]],
        attrs: Mapping[str, Any] | None = None,
    ) -> tuple[Value, ...]:
        """Emits a kernel with any number of results, given as (dtype, shape)."""
        for value in (*inputs, *(self.value(dtype, ()) for dtype, _ in results)):
            if value is not None and value.dtype.kind == "O":
                raise Unlowerable("TVM has no strings", code="EK303")
        outputs = tuple(self.value(dtype, shape) for dtype, shape in results)
        self.append(name, inputs, outputs, attrs)
        if len(outputs) == 1:
            moved(self, name, inputs, attrs, outputs[0])
        return outputs

    def like(
        self,
        n: Op,
        name: str,
        inputs: Sequence[Value | None],
        attrs: Mapping[str, Any] | None = None,
        *,
        dtype: Any = None,
    ) -> Value:
        """Emits a kernel whose result has the shape, and by default the dtype, of the node's output."""
        wanted = n.out().dtype if dtype is None else dtype
        return self.op(name, inputs, attrs, dtype=wanted, shape=n.out_shape())

    def map(self, name: str, *inputs: Value, dtype: Any = None, **attrs: Any) -> Value:
        """Emits a broadcasting elementwise op; its dtype is by default that of the last operand."""
        wanted = inputs[-1].dtype if dtype is None else dtype
        return self.op(name, inputs, attrs, dtype=wanted, shape=broadcast(*(v.shape for v in inputs)))

    def scalar(self, value: Any, like: Value | np.dtype[Any]) -> Value:
        """Makes a rank-0 constant of a dtype."""
        return self.const(np.asarray(value).astype(like if isinstance(like, np.dtype) else like.dtype))

    def cast(self, x: Value, dtype: Any) -> Value:
        """Converts between dtypes of C, halves included; constants at once, the same dtype not at all."""
        wanted = np.dtype(dtype)
        if x.dtype == wanted:
            return x
        if x.data is not None:
            return self.const(x.data.astype(wanted))
        if x.dtype.name == "bfloat16":
            return self.cast(self.op("bfloat16_to_float32", [x], dtype=np.float32, shape=x.shape), wanted)
        if wanted.name == "bfloat16":
            return self.op("float32_to_bfloat16", [self.cast(x, np.float32)], dtype=wanted, shape=x.shape)
        if wanted == np.float16 and x.dtype.kind in "iub":
            return self.cast(self.cast(x, np.float32), wanted)  # exact where float16 is finite
        return self.op("cast", [x], {"dtype": wanted.name}, dtype=wanted, shape=x.shape)

    def reshape(self, x: Value, shape: Shape) -> Value:
        """Reshapes; at most one size may be known only at run time."""
        if tuple(shape) == x.shape and x.static_shape is not None:
            return x
        sizes = [-1 if d is None else d for d in shape]
        if 0 in sizes and -1 in sizes:
            raise Unlowerable("a size known only at run time beside an empty axis", code="EK305")
        if x.data is not None:
            return self.const(x.data.reshape(sizes))
        if sizes.count(-1) > 1:
            raise ValueError(f"{shape} has several unknown sizes")
        return self.op("reshape", [x, self.ints(sizes)], {"allowzero": True}, dtype=x.dtype, shape=shape)

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """Permutes the axes; constants at once, the identity not at all."""
        order = [int(p) for p in perm]
        if order == list(range(x.rank)):
            return x
        if x.data is not None:
            return self.const(np.ascontiguousarray(x.data.transpose(order)))
        shape = tuple(x.shape[p] for p in order)
        return self.op("transpose", [x], {"perm": order}, dtype=x.dtype, shape=shape)

    def unsqueeze(self, x: Value, axes: Sequence[int]) -> Value:
        """Inserts axes of size 1 at positions of the result."""
        at = sorted(axes)
        if x.data is not None:
            return self.const(np.expand_dims(x.data, tuple(at)))
        sizes = list(x.shape)
        for axis in at:
            sizes.insert(axis, 1)
        return self.op("unsqueeze", [x], {"axes": at}, dtype=x.dtype, shape=tuple(sizes)) if at else x

    def squeeze(self, x: Value, axes: Sequence[int]) -> Value:
        """Removes axes of size 1."""
        if x.data is not None:
            return self.const(np.squeeze(x.data, tuple(axes)))
        sizes = tuple(d for i, d in enumerate(x.shape) if i not in axes)
        return self.op("squeeze", [x], {"axes": sorted(axes)}, dtype=x.dtype, shape=sizes) if axes else x

    def slice(self, x: Value, axis: int, begin: int, end: int) -> Value:
        """Takes elements [begin, end) of an axis; both count from the front."""
        if x.data is not None:
            return self.const(x.data[(slice(None),) * axis + (slice(begin, end),)])
        shape = (*x.shape[:axis], end - begin, *x.shape[axis + 1 :])
        attrs = {"axis": axis, "begin": begin, "end": end}
        return self.op("cut", [x], attrs, dtype=x.dtype, shape=shape)

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """Joins values along an axis."""
        if len(values) == 1:
            return values[0]
        sizes = [v.shape[axis] for v in values]
        total = None if None in sizes else sum(d for d in sizes if d is not None)
        rest = [next((d for d in column if d is not None), None)
                for column in zip(*(v.shape for v in values), strict=True)]  # fmt: skip
        rest[axis] = total
        return self.op("concat", values, {"axis": axis}, dtype=values[0].dtype, shape=tuple(rest))

    def ints(self, values: Sequence[int] | int) -> Value:
        """Makes an int64 constant, the type of sizes, axes and indices."""
        return self.const(values, np.int64)

    def reduce(self, name: str, x: Value, axes: Sequence[int], *, keep: bool = True) -> Value:
        """Reduces axes, which count from the front."""
        kept = dict.fromkeys(axes, 1) if keep else {}
        shape = tuple(kept.get(i, d) for i, d in enumerate(x.shape) if keep or i not in axes)
        return self.op(name, [x], {"axes": sorted(axes), "keep": keep}, dtype=x.dtype, shape=shape)


def broadcast(*shapes: Shape) -> Shape:
    """Returns the shape of an elementwise op's result."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return tuple(_common(column) for column in zip(*padded, strict=True))


def _common(sizes: Sequence[int | None]) -> int | None:
    large = next((d for d in sizes if d is not None and d != 1), None)
    return large if large is not None else (None if None in sizes else 1)


def computed(b: TVMBuilder, values: Sequence[Value], compute: Callable[..., Value]) -> Value:
    """Computes halves in float32 and rounds the result once; other dtypes as they are."""
    dtype = values[0].dtype
    if dtype.name not in HALVES:
        return compute(*values)
    return b.cast(compute(*(b.cast(v, np.float32) if v.dtype == dtype else v for v in values)), dtype)


__all__ = ["HALVES", "TVMBuilder", "broadcast", "computed"]
