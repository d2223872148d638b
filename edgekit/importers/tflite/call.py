"""`Call`: one TFLite op with its operands in the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.importers.tflite.nodes import Nodes
from edgekit.importers.tflite.table import Untranslatable
from edgekit.importers.tflite.tensors import Tensors
from edgekit.ir.ledger import Emitted, Value

TO_FIRST = (0, 3, 1, 2)
"""NHWC to NCHW."""
TO_LAST = (0, 2, 3, 1)


class Call:
    """One op under translation."""

    def __init__(self, op: Emitted, nodes: Nodes, tensors: Tensors, on_codes: bool) -> None:
        self.emitted = op
        self._nodes = nodes
        self._tensors = tensors
        self._on_codes = on_codes

    # -- operands -------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.emitted.inputs)

    def has(self, index: int) -> bool:
        """Tells whether an operand is given."""
        return index < len(self.emitted.inputs) and self.emitted.inputs[index] is not None

    def tensor(self, index: int) -> Value:
        """Returns an operand as the file has it."""
        value = self.emitted.inputs[index] if index < len(self.emitted.inputs) else None
        if value is None:
            raise Untranslatable(f"its operand {index} is missing")
        return value

    def operand(self, index: int) -> ir.Value:
        """Returns an operand: the reals that it stands for, or what is stored where the op reads that."""
        value = self.tensor(index)
        return self._tensors.stored(value) if self._on_codes else self._tensors.real(value)

    def operands(self) -> list[ir.Value]:
        """Returns all operands."""
        return [self.operand(i) for i in range(len(self))]

    def weights(self, index: int, perm: Sequence[int]) -> ir.Value:
        """Returns an operand with its axes permuted: a constant is stored so."""
        value = self.tensor(index)
        if value.data is None:
            return self.op("Transpose", self.operand(index), perm=list(perm))
        return self._tensors.permuted(value, tuple(perm))

    def held(self, value: Value) -> ir.Value:
        """Returns the reals of a constant that takes the place of an operand."""
        return self._tensors.real(value)

    def const(self, index: int) -> NDArray[Any] | None:
        """Returns the elements of a constant operand, `None` for any other."""
        return self.tensor(index).data if self.has(index) else None

    def numbers(self, index: int, what: str) -> list[int]:
        """Returns the elements of an integer operand that must be constant, such as axes.

        Raises:
            Untranslatable: If it is computed at run time.
        """
        data = self.const(index)
        if data is None:
            raise Untranslatable(f"its {what} are computed at run time")
        return [int(n) for n in data.reshape(-1)]

    def shape(self, index: int = 0) -> tuple[int | None, ...]:
        """Returns the sizes of an operand."""
        return self.tensor(index).shape

    def rank(self, index: int = 0) -> int:
        """Returns the rank of an operand."""
        return self.tensor(index).rank

    def axis(self, value: int, index: int = 0) -> int:
        """Returns an axis of an operand counted from the front.

        Raises:
            Untranslatable: If the operand has no such axis.
        """
        rank = self.rank(index)
        if not -rank <= value < rank:
            raise Untranslatable(f"a tensor of rank {rank} has no axis {value}")
        return value % rank

    def images(self, *indices: int) -> None:
        """Makes sure that operands have the rank of a batch of images."""
        for index in indices:
            if self.rank(index) != 4:
                raise Untranslatable(f"its operand {index} has rank {self.rank(index)} instead of 4")

    def attr(self, name: str, default: Any = None) -> Any:
        """Returns an option under the schema's name in snake_case."""
        return self.emitted.attrs.get(name, default)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """All options."""
        return self.emitted.attrs

    def result(self, index: int = 0) -> Value:
        """Returns a result as the file has it."""
        if index >= len(self.emitted.outputs):
            raise Untranslatable(f"its result {index} is missing")
        return self.emitted.outputs[index]

    # -- nodes ----------------------------------------------------------------------------------

    def op(self, kind: str, *inputs: ir.Value | None, **attrs: Any) -> ir.Value:
        """Makes a node with one result."""
        return self._nodes.op(kind, inputs, 1, **attrs)[0]

    def ops(self, kind: str, *inputs: ir.Value | None, outputs: int, **attrs: Any) -> list[ir.Value]:
        """Makes a node with several results."""
        return self._nodes.op(kind, inputs, outputs, **attrs)

    def ints(self, data: Any) -> ir.Value:
        """Makes a one-dimensional int64 constant."""
        return self._nodes.const(np.asarray(data, np.int64).reshape(-1))

    def scalar(self, number: float, like: int = 0) -> ir.Value:
        """Makes a rank-0 constant of the dtype in which the op computes with an operand."""
        value = self.tensor(like)
        dtype = np.float32 if self._tensors.is_quantised(value) and not self._on_codes else value.dtype
        return self._nodes.const(np.asarray(number).astype(dtype))

    def number(self, number: float) -> ir.Value:
        """Makes a rank-0 float32 constant."""
        return self._nodes.const(np.float32(number))

    def cast(self, value: ir.Value, dtype: Any) -> ir.Value:
        """Converts to a numpy dtype."""
        return self.op("Cast", value, to=int(ir.DataType.from_numpy(np.dtype(dtype))))

    def int64(self, index: int) -> ir.Value:
        """Returns an integer operand as int64, the type of ONNX's sizes and indices."""
        data = self.const(index)
        if data is not None:
            return self._nodes.const(data.astype(np.int64))
        value = self._tensors.stored(self.tensor(index))
        return value if self.tensor(index).dtype == np.int64 else self.cast(value, np.int64)

    def to_first(self, value: ir.Value) -> ir.Value:
        """NHWC to NCHW."""
        return self.op("Transpose", value, perm=list(TO_FIRST))

    def to_last(self, value: ir.Value) -> ir.Value:
        """NCHW to NHWC."""
        return self.op("Transpose", value, perm=list(TO_LAST))

    def activated(self, value: ir.Value, name: str | None = None) -> ir.Value:
        """Applies the activation that an op carries, or one that is named.

        Raises:
            Untranslatable: For one that is not known.
        """
        name = self.attr("fused_activation_function", "NONE") if name is None else name
        if name == "NONE":
            return value
        if name not in _ACTIVATIONS:
            raise Untranslatable(f"the activation `{name}` is not known")
        return _ACTIVATIONS[name](self, value)


def _clip(low: float, high: float) -> Callable[[Call, ir.Value], ir.Value]:
    def apply(call: Call, value: ir.Value) -> ir.Value:
        bounds = [call.number(b) for b in (low, high)]
        return call.op("Clip", value, *bounds)

    return apply


_ACTIVATIONS: Mapping[str, Callable[[Call, ir.Value], ir.Value]] = {
    "RELU": lambda call, value: call.op("Relu", value),
    "RELU6": _clip(0, 6),
    "RELU_N1_TO_1": _clip(-1, 1),
    "RELU_0_TO_1": _clip(0, 1),
    "TANH": lambda call, value: call.op("Tanh", value),
}
