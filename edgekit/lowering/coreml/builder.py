"""`CoreMlBuilder`: the ledger builder with MIL's op and parameter names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.builder import LedgerBuilder
from edgekit.lowering.coreml import bounds
from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.infer import Inference
from edgekit.lowering.coreml.storage import INT32, require, stored_data
from edgekit.lowering.coreml.table import TABLE
from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.op import Unlowerable

MAX_RANK = 5
FREE_RANK = ("reshape", "transpose", "const")
"""Ops between which a tensor may have more axes: coremltools splits such chains."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands in an op's attributes for the operand at a position of `inputs`."""

    index: int


class CoreMlBuilder(LedgerBuilder):
    """Emits MIL ops.

    Values carry the dtype of the source model; `storage` says what Core ML keeps it in.

    Attributes:
        infer: MIL's own inference of dtypes and shapes.
        intervals: What is known of integer values beyond their dtype.
        codes: The real values that integers were quantised from, and how.
    """

    table = TABLE

    def __init__(self, infer: Inference) -> None:
        super().__init__()
        self.infer = infer
        self.intervals: dict[Value, Interval] = {}
        self.codes: dict[Value, tuple[Value, Quant]] = {}

    def child(self) -> Self:
        """Returns an empty builder for a nested graph."""
        return type(self)(self.infer)

    def value(self, dtype: Any, shape: Shape, quant: Quant | None = None) -> Value:
        """Makes a value that an op or the caller will define.

        Raises:
            Unlowerable: If Core ML has no storage for the dtype, or the tensor has no elements.
        """
        require(np.dtype(dtype))
        if 0 in shape:
            raise Unlowerable("Core ML has no tensors without elements", code="EK305")
        return super().value(dtype, shape, quant)

    def op(self, name: str, *, dtype: Any = None, **params: Any) -> Value:
        """Emits an op with one result; see `multi`."""
        return self.multi(name, dtypes=[dtype], **params)[0]

    def multi(self, name: str, *, dtypes: Sequence[Any] | None = None, **params: Any) -> tuple[Value, ...]:
        """Emits an op; one whose results MIL knows already becomes constants.

        Args:
            name: MIL's name of the op.
            dtypes: The source model's dtypes of the results; `None` for that of the first operand where
                the storage is the same.
            params: Operands and parameters by MIL's names. `None` leaves one out; a Python float
                takes the dtype of the first float operand.

        Returns:
            The results.

        Raises:
            Unlowerable: If a result has more than five axes, or a constant has no storage.
        """
        given = {key: p for key, p in params.items() if p is not None}
        operands = _operands(given)
        if any(0 in v.shape for v in operands):
            raise Unlowerable("Core ML has no tensors without elements", code="EK305")
        given = {key: _number(p, operands) for key, p in given.items()}
        results = self.infer.results(name, given)
        wanted = dtypes or [None] * len(results)
        outputs = []
        for (kept, shape, data), dtype in zip(results, wanted, strict=True):
            logical = np.dtype(dtype) if dtype is not None else _logical(kept, operands)
            if len(shape) > MAX_RANK and name not in FREE_RANK:
                raise Unlowerable(f"a tensor of rank {len(shape)}; Core ML takes at most {MAX_RANK}")
            outputs.append(self.value(logical, shape) if data is None else self.const(_as(data, logical)))
        if any(o.data is None for o in outputs):
            outputs = [o if o.data is None else self.value(o.dtype, o.shape) for o in outputs]
            self.emit(name, given, outputs)
        return tuple(outputs)

    def emit(self, name: str, params: Mapping[str, Any], outputs: Sequence[Value]) -> None:
        """Records an op whose results are given."""
        inputs: list[Value] = []
        attrs: dict[str, Any] = {}
        for key, param in params.items():
            if isinstance(param, Value):
                attrs[key] = Slot(len(inputs))
                inputs.append(param)
            elif isinstance(param, list | tuple) and any(isinstance(p, Value) for p in param):
                attrs[key] = tuple(Slot(len(inputs) + i) for i in range(len(param)))
                inputs.extend(param)
            else:
                attrs[key] = param
        for value in inputs:
            if value.data is not None:
                stored_data(value.data)  # refuses what has no place in int32
        self.append(name, inputs, outputs, attrs)

    # -- intervals ------------------------------------------------------------------------------

    def interval(self, value: Value) -> Interval:
        """Returns between which numbers the elements of an integer value lie."""
        return self.intervals.get(value) or bounds.of_constant(value) or bounds.of_dtype(value.dtype)

    def bounded(self, value: Value, interval: Interval) -> Value:
        """Notes what is known of a value and returns it."""
        if value.data is None:
            self.intervals[value] = interval
        return value

    # -- conveniences ---------------------------------------------------------------------------

    def number(self, number: float | bool, like: Value) -> Value:
        """Makes a rank-0 constant of another value's dtype."""
        return self.const(np.asarray(number).astype(like.dtype))

    def ints(self, values: Sequence[int] | int) -> Value:
        """Makes an int32 constant.

        Raises:
            Unlowerable: If a value does not fit.
        """
        try:
            return self.const(values, INT32)
        except OverflowError:
            raise Unlowerable("a size or an index does not fit into int32") from None

    def unary(self, name: str, x: Value) -> Value:
        """Emits an op of the operand `x` alone."""
        return self.op(name, x=x)

    def binary(self, name: str, x: Value, y: Value) -> Value:
        """Emits a broadcasting elementwise op."""
        return self.op(name, x=x, y=y)

    def relabel(self, x: Value, dtype: Any) -> Value:
        """Gives a value another dtype of the source model with the same storage."""
        wanted = np.dtype(dtype)
        if x.dtype == wanted:
            return x
        if x.data is not None:
            return self.const(x.data.astype(wanted))
        if require(x.dtype) != require(wanted):
            raise ValueError(f"{x.dtype} and {wanted} are not stored alike")
        result = self.value(wanted, x.shape)
        self.emit("identity", {"x": x}, [result])
        return self.bounded(result, self.interval(x)) if wanted.kind in "iu" else result

    def cast(self, x: Value, dtype: Any) -> Value:
        """Converts the dtype as MIL's `cast` does; constants at once, the same dtype not at all."""
        wanted = np.dtype(dtype)
        if x.dtype == wanted:
            return x
        if x.data is not None:
            with np.errstate(invalid="ignore", over="ignore"):
                return self.const(x.data.astype(wanted))
        if require(x.dtype) == require(wanted):
            return self.relabel(x, wanted)
        names = {"float32": "fp32", "float16": "fp16", "bool": "bool", "int32": "int32"}
        return self.multi("cast", dtypes=[wanted], x=x, dtype=names[require(wanted).name])[0]

    def int32(self, x: Value) -> Value:
        """Gives an integer or a bool as int32."""
        return self.cast(x, INT32) if x.dtype == np.bool_ else self.relabel(x, INT32)

    def moved(self, x: Value, move: Any) -> Value:
        """Moves the elements of a bool by an op that takes numbers only."""
        if x.dtype != np.bool_:
            result: Value = move(x)
            return result
        return self.cast(move(self.cast(x, INT32)), np.bool_)

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """Permutes the axes; the identity not at all."""
        order = [int(p) % max(1, x.rank) for p in perm]
        if order == list(range(x.rank)):
            return x
        if x.data is not None:
            return self.const(np.ascontiguousarray(x.data.transpose(order)), quant=_moved(x.quant, order))
        return self.op("transpose", x=x, perm=order)

    def reshape(self, x: Value, shape: Sequence[int | None]) -> Value:
        """Reshapes to a shape with at most one size known only at run time.

        Raises:
            Unlowerable: If two or more sizes are unknown.
        """
        if tuple(shape) == x.shape and x.static_shape is not None:
            return x
        sizes = [-1 if d is None else int(d) for d in shape]
        if x.data is not None:
            return self.const(x.data.reshape(sizes))
        if sizes.count(-1) > 1:
            raise Unlowerable("the new shape has several sizes known only at run time", code="EK305")
        if not sizes:
            return self.squeeze(x, range(x.rank))
        if x.rank == 0:
            return self.op("expand_dims", x=x, axes=list(range(len(sizes))))
        return self.op("reshape", x=x, shape=sizes)

    def reshape_to(self, x: Value, sizes: Value, shape: Shape) -> Value:
        """Reshapes to sizes computed at run time (`sizes`: int32, rank 1)."""
        if x.rank == 0:
            x = self.reshape(x, (1,))
        result = self.value(x.dtype, shape)
        self.emit("reshape", {"x": x, "shape": self.int32(sizes)}, [result])
        return result

    def expand_dims(self, x: Value, axes: Sequence[int]) -> Value:
        """Inserts axes of size 1; `axes` count in the result, from the front."""
        if not axes:
            return x
        if x.data is not None:
            return self.const(np.expand_dims(x.data, tuple(axes)))
        return self.op("expand_dims", x=x, axes=[int(a) for a in axes])

    def squeeze(self, x: Value, axes: Sequence[int]) -> Value:
        """Removes axes of size 1."""
        if not axes:
            return x
        if x.data is not None:
            return self.const(np.squeeze(x.data, tuple(axes)))
        return self.op("squeeze", x=x, axes=[int(a) for a in axes])

    def expand_rank(self, x: Value, rank: int) -> Value:
        """Puts axes of size 1 in front until the rank is reached."""
        return self.expand_dims(x, range(rank - x.rank))

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """Joins values along an axis; a single one is returned as it is."""
        if len(values) == 1:
            return values[0]
        if all(v.data is not None for v in values):
            return self.const(np.concatenate([v.data for v in values if v.data is not None], axis))
        if values[0].dtype == np.bool_:
            return self.cast(self.concat([self.cast(v, INT32) for v in values], axis), np.bool_)
        return self.op("concat", values=list(values), axis=axis)

    def shape_of(self, x: Value) -> Value:
        """Returns the sizes of `x` as int32 of rank 1; a constant where all are known."""
        if x.static_shape is not None:
            return self.const(x.static_shape, INT32)
        if x.rank == 0:
            return self.const([], INT32)
        return self.bounded(self.op("shape", dtype=INT32, x=x), Interval(0, 2**31 - 1))

    def select(self, cond: Value, a: Value, b: Value) -> Value:
        """Chooses between two values of one dtype; all three broadcast."""
        if cond.static_shape != _broadcast(a, b):
            a = self.broadcast_like(a, cond)
        return self.op("select", cond=cond, a=a, b=b)

    def broadcast_like(self, x: Value, shaped: Value) -> Value:
        """Gives `x` at least the sizes of another value; MIL's `select` does not look at its condition's."""
        rank = max(x.rank, shaped.rank)
        x, shaped = self.expand_rank(x, rank), self.expand_rank(shaped, rank)
        sizes = [b if a == 1 else 1 for a, b in zip(x.shape, shaped.shape, strict=True)]
        if None not in sizes and None not in x.shape:
            reps = [int(r or 1) for r in sizes]
            return x if set(reps) <= {1} else self.op("tile", x=x, reps=reps)
        if x.dtype == np.bool_:
            return self.binary("logical_or", x, self.filled(shaped, False, x.dtype))
        return self.binary("add", x, self.filled(shaped, -0.0, x.dtype))  # the zero that changes nothing

    def filled(self, shaped: Value, number: float | bool, dtype: Any) -> Value:
        """Makes a tensor of one number with the sizes of another value."""
        kind = np.dtype(dtype)
        if shaped.static_shape is not None:
            return self.const(np.full(shaped.static_shape, number, kind))
        result = self.value(kind, shaped.shape)
        fill = {"shape": self.shape_of(shaped), "value": require(kind).type(number)}
        self.emit("fill", fill, [result])
        return result

    def reduce(self, name: str, x: Value, axes: Sequence[int], *, keep: bool) -> Value:
        """Emits a reduction over axes counted from the front; over none it is the identity."""
        return self.op(name, x=x, axes=[int(a) for a in axes], keep_dims=keep) if axes else x


def _moved(quant: Quant | None, order: Sequence[int]) -> Quant | None:
    if quant is None or quant.axis is None:
        return quant
    return replace(quant, axis=order.index(quant.axis))


def _broadcast(a: Value, b: Value) -> tuple[int, ...] | None:
    if a.static_shape is None or b.static_shape is None:
        return None
    return np.broadcast_shapes(a.static_shape, b.static_shape)


def _operands(params: Mapping[str, Any]) -> list[Value]:
    flat: list[Any] = []
    for param in params.values():
        flat.extend(param if isinstance(param, list | tuple) else [param])
    return [p for p in flat if isinstance(p, Value)]


def _number(param: Any, operands: Sequence[Value]) -> Any:
    """Gives a Python float the dtype of the first float operand."""
    if not isinstance(param, float):
        return param
    floats = [v.dtype for v in operands if v.dtype.kind == "f"]
    return (floats[0] if floats else np.dtype(np.float32)).type(param)


def _logical(kept: np.dtype[Any], operands: Sequence[Value]) -> np.dtype[Any]:
    """Returns the dtype of the first operand that is stored like the result."""
    return next((v.dtype for v in operands if require(v.dtype) == kept), kept)


def _as(data: Any, dtype: np.dtype[Any]) -> Any:
    return data if data.dtype == dtype else data.astype(dtype)
