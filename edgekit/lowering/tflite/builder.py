"""`TFLiteBuilder`: the ledger builder with the TFLite dialect's conveniences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.lowering.builder import LedgerBuilder
from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.op import Unlowerable
from edgekit.lowering.tflite.dialect import DIALECT
from edgekit.lowering.tflite.grid import reshaped, transposed
from edgekit.lowering.tflite.table import TABLE

INT32 = np.dtype(np.int32)


class TFLiteBuilder(LedgerBuilder):
    """Emits TFLite builtin ops; constants given to shape-only ops are folded at once."""

    table = TABLE

    def op(
        self,
        name: str,
        inputs: Sequence[Value | None],
        attrs: Mapping[str, Any] | None = None,
        *,
        dtype: Any = None,
        shape: Shape | None = None,
    ) -> Value:
        """Emits an op with one result.

        Args:
            name: TFLite's name of the op; it must be declared in the dialect.
            inputs: Operands in TFLite's order.
            attrs: Options, under the schema's names in snake_case.
            dtype: Dtype of the result; inferred where the dialect can.
            shape: Shape of the result; inferred where the dialect can.

        Returns:
            The result.
        """
        if dtype is None or shape is None:
            infer = DIALECT[name].infer
            if infer is None:
                raise ValueError(f"`{name}` needs the dtype and the shape of its result")
            inferred_dtype, inferred_shape = infer(inputs, attrs or {})[0]
            dtype = inferred_dtype if dtype is None else dtype
            shape = inferred_shape if shape is None else shape
        return self.multi(name, inputs, [(dtype, shape)], attrs)[0]

    def multi(
        self,
        name: str,
        inputs: Sequence[Value | None],
        results: Sequence[tuple[Any, Shape]],
        attrs: Mapping[str, Any] | None = None,
    ) -> tuple[Value, ...]:
        """Emits an op with any number of results, given as (dtype, shape)."""
        if name not in DIALECT:
            raise ValueError(f"`{name}` is not declared in the dialect")
        outputs = tuple(self.value(dtype, shape) for dtype, shape in results)
        self.append(name, inputs, outputs, attrs)
        return outputs

    def ints(self, values: Sequence[int] | int) -> Value:
        """Makes an int32 constant, the type of TFLite's axes, shapes and permutations.

        Raises:
            Unlowerable: If a value does not fit.
        """
        try:
            return self.const(values, np.int32)
        except OverflowError:
            raise Unlowerable("a size or an index does not fit into int32") from None

    def scalar(self, value: float, like: Value) -> Value:
        """Makes a rank-0 constant of another value's dtype."""
        return self.const(np.asarray(value).astype(like.dtype))

    def unary(self, name: str, x: Value) -> Value:
        """Emits an elementwise op of one operand."""
        return self.op(name, [x])

    def binary(self, name: str, x: Value, y: Value) -> Value:
        """Emits a broadcasting elementwise op of two operands of one dtype, without activation."""
        if x.dtype != y.dtype:
            raise ValueError(f"`{name}` of {x.dtype} and {y.dtype}")
        fused = {"fused_activation_function": "NONE"}
        return self.op(name, [x, y], fused if name in ("ADD", "SUB", "MUL", "DIV") else None)

    def cast(self, x: Value, dtype: Any) -> Value:
        """Converts the dtype; constants at once, the same dtype not at all."""
        wanted = np.dtype(dtype)
        if x.dtype == wanted:
            return x
        if x.data is not None:
            return self.const(x.data.astype(wanted))
        attrs = {"in_data_type": x.dtype, "out_data_type": wanted}
        return self.op("CAST", [x], attrs, dtype=wanted, shape=x.shape)

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """Permutes the axes; constants at once, the identity not at all."""
        order = [int(p) % max(1, x.rank) for p in perm]
        if sorted(order) != list(range(x.rank)):
            raise ValueError(f"{list(perm)} does not permute {x.rank} axes")
        if order == list(range(x.rank)):
            return x
        if x.data is not None:
            return self.const(np.ascontiguousarray(x.data.transpose(order)), quant=transposed(x.quant, order))
        return self.op("TRANSPOSE", [x, self.ints(order)])

    def reshape(self, x: Value, shape: Shape) -> Value:
        """Reshapes to a shape with at most one size known only at run time.

        Raises:
            Unlowerable: If two or more sizes are unknown.
        """
        if tuple(shape) == x.shape and x.static_shape is not None:
            return x
        if x.data is not None:
            data = x.data.reshape([-1 if d is None else d for d in shape])
            return self.const(data, quant=reshaped(x.quant, x.data.shape, data.shape))
        if sum(d is None for d in shape) > 1:
            raise Unlowerable("the new shape has several sizes known only at run time", code="EK305")
        sizes = [-1 if d is None else d for d in shape]
        return self.op("RESHAPE", [x, self.ints(sizes)], {"new_shape": sizes}, dtype=x.dtype, shape=shape)

    def reshape_to(self, x: Value, sizes: Value, shape: Shape) -> Value:
        """Reshapes to sizes computed at run time (`sizes`: int32, rank 1)."""
        return self.op("RESHAPE", [x, sizes], {"new_shape": []}, dtype=x.dtype, shape=shape)

    def shape_of(self, x: Value, dtype: Any = INT32) -> Value:
        """Returns the sizes of `x` as a rank-1 tensor; a constant where all are known."""
        if x.static_shape is not None:
            return self.const(x.static_shape, dtype)
        return self.op("SHAPE", [x], {"out_type": np.dtype(dtype)})

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """Joins values along an axis; a single one is returned as it is."""
        if len(values) == 1:
            return values[0]
        if all(v.data is not None for v in values):
            return self.const(np.concatenate([v.data for v in values if v.data is not None], axis))
        attrs = {"axis": axis, "fused_activation_function": "NONE"}
        return self.op("CONCATENATION", values, attrs)

    def expand_rank(self, x: Value, rank: int) -> Value:
        """Puts axes of size 1 in front until the rank is reached."""
        return self.reshape(x, (1,) * (rank - x.rank) + x.shape) if x.rank < rank else x
