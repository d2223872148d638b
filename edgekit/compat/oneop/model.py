"""A TFLite file that holds one op, and the tensors to build it from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgekit.compat.oneop.draw import Draw
from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph, TensorMap, Value
from edgekit.lowering.tflite.emit import Signature, emit

_SCALES = {"int8": 0.05, "uint8": 0.05, "int16": 0.0002, "int32": 0.0005}
_ZERO_POINTS = {"int8": 3, "uint8": 121}
SKIPPED = 1 << 26
"""Elements beyond which a model is not worth compiling."""


class Meaningless(ValueError):  # noqa: N818 - not a mistake, a draw to throw away
    """The knobs contradict each other: there is no such op."""


@dataclass(frozen=True, slots=True)
class OneOp:
    """A model of one op.

    Attributes:
        emitted: The op.
        knobs: The knobs that are not at their base values.
        names: Names of its tensors in the file.
    """

    emitted: Emitted
    knobs: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The operands that the caller gives."""
        return tuple(dict.fromkeys(v for v in self.emitted.inputs if v is not None and v.data is None))

    def graph(self) -> Subgraph:
        """Returns the graph, with names for its inputs (`x0`, …) and outputs (`y0`, …)."""
        names = {v: f"x{i}" for i, v in enumerate(self.inputs)}
        names |= {v: f"y{i}" for i, v in enumerate(self.emitted.outputs)}
        return Subgraph("main", self.inputs, self.emitted.outputs, (self.emitted,), names)

    def lowered(self) -> Lowered:
        """Returns the ledger of the model."""
        graph = self.graph()
        return Lowered(
            "tflite", graph, tuple(map(TensorMap, graph.inputs)), tuple(map(TensorMap, graph.outputs))
        )

    def to_bytes(self) -> bytes:
        """Returns the `.tflite` file."""
        graph = self.graph()
        ins = tuple(graph.names[v] for v in graph.inputs)
        outs = tuple(graph.names[v] for v in graph.outputs)
        return emit(graph, Signature(ins, outs))[1]

    def __str__(self) -> str:
        """Returns the op and the knobs that were turned."""
        knobs = ", ".join(f"{key}={value}" for key, value in self.knobs.items())
        return f"{self.emitted.op}({knobs})"


def feature_map(draw: Draw, shape: Sequence[int], *, dtype: str, name: str) -> Value:
    """Returns a tensor that is computed at run time, quantised as its dtype asks for.

    Args:
        draw: Turns `<name>_quant`: `normal`, `none`, `per-axis` or `odd-zero` (an unusual zero point).
        shape: Its sizes.
        dtype: Its dtype.
        name: Prefix of its knobs.
    """
    sizes = tuple(int(d) for d in shape)
    if any(d < 1 for d in sizes) or np.prod(sizes, dtype=object) > SKIPPED:
        raise Meaningless(f"a tensor of the shape {list(sizes)}")
    kind = draw.one_of(f"{name}_quant", "normal", "none", "per-axis", "odd-zero")
    return Value(np.dtype(dtype), sizes, None, quant_for(dtype, sizes, kind))


def quant_for(dtype: str, shape: Sequence[int], kind: str = "normal") -> Quant | None:
    """Returns the quantisation of a tensor; floats, booleans and int64 have none."""
    if dtype not in _SCALES or kind == "none":
        return None
    scale, zero = _SCALES[dtype], _ZERO_POINTS.get(dtype, 0)
    if kind == "per-axis" and shape:
        return Quant((scale,) * shape[-1], (zero,) * shape[-1], len(shape) - 1)
    return Quant((scale,), (zero + 5 if kind == "odd-zero" else zero,))


def constant(values: ArrayLike, dtype: str = "int32", quant: Quant | None = None) -> Value:
    """Returns a constant."""
    data = np.asarray(values, dtype)
    return Value(data.dtype, data.shape, data, quant)


def steering(draw: Draw, values: ArrayLike, name: str, dtype: str = "int32") -> Value:
    """Returns an operand that steers the op: a constant, or (knob `<name>_from`) computed at run time."""
    fixed = constant(values, dtype)
    if draw.one_of(f"{name}_from", "constant", "run time") == "constant":
        return fixed
    return Value(fixed.dtype, fixed.shape)
