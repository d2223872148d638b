"""QDQ pairs taken into the ops between them: what compilers of integer accelerators see.

`DequantizeLinear, Conv, QuantizeLinear` is one integer convolution to them. An op whose results are all
quantised, and which reads nothing but dequantised values and constants, becomes an op on quantised
tensors; every other op keeps its float tensors and the conversions around them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Subgraph, Value

ACTIVATIONS = frozenset({"Relu", "Clip", "HardSwish", "Sigmoid", "HardSigmoid", "LeakyRelu", "PRelu", "Tanh"})
"""Ops that compilers compute together with the op before, so that no quantisation lies between."""


def integer_units(graph: Subgraph) -> Subgraph:
    """Replaces QDQ pairs around ops by quantised tensors.

    Args:
        graph: A graph of ONNX ops; nested graphs stay as they are.

    Returns:
        The graph; without QDQ the one given.
    """
    if not any(op.op in ("QuantizeLinear", "DequantizeLinear") for op in graph.ops):
        return graph
    return _Units.of(graph).folded()


@dataclass(slots=True)
class _Units:
    graph: Subgraph
    uses: Counter[Value]
    makers: dict[Value, Emitted]
    readers: dict[Value, list[Emitted]]
    codes: dict[Value, Value] = field(default_factory=dict)
    """The quantised tensor that holds a float value."""
    integer: set[int] = field(default_factory=set)
    """Ops (by identity) that compute on quantised tensors."""

    @classmethod
    def of(cls, graph: Subgraph) -> _Units:
        readers: dict[Value, list[Emitted]] = {}
        for op in graph.ops:
            for v in dict.fromkeys(op.inputs):
                if v is not None:
                    readers.setdefault(v, []).append(op)
        uses = Counter(v for op in graph.ops for v in op.inputs if v is not None) + Counter(graph.outputs)
        return cls(graph, uses, {v: op for op in graph.ops for v in op.outputs}, readers)

    def folded(self) -> Subgraph:
        quantised: dict[Value, Value] = {}
        for op in self.graph.ops:
            if op.op == "QuantizeLinear":
                quantised[op.outputs[0]] = self.coded(op.outputs[0], op)
                self.claim(op, quantised[op.outputs[0]])
        for op in self.graph.ops:
            if op.op == "DequantizeLinear" and op.inputs[0] is not None:
                self.codes[op.outputs[0]] = quantised.get(op.inputs[0]) or self.coded(op.inputs[0], op)
        for op in reversed(self.graph.ops):
            self.spread(op)
        for op in self.graph.ops:
            if self.is_integer(op):
                self.integer.add(id(op))
        return self.rebuilt(quantised)

    def claim(self, quantize: Emitted, code: Value) -> None:
        """The float result that only this op reads is the quantised tensor itself."""
        source = quantize.inputs[0]
        maker = self.makers.get(source) if source is not None else None
        if source is not None and maker is not None and self.uses[source] == 1 and maker.op != "DequantizeLinear":
            self.codes[source] = code

    def spread(self, op: Emitted) -> None:
        """What an activation reads of the op before has the activation's own codes."""
        source = op.inputs[0] if op.inputs else None
        if op.op not in ACTIVATIONS or source is None or op.outputs[0] not in self.codes:
            return
        if self.uses[source] == 1 and source in self.makers and source not in self.codes:
            code = self.codes[op.outputs[0]]
            self.codes[source] = Value(code.dtype, source.shape, None, code.quant)

    def is_integer(self, op: Emitted) -> bool:
        if op.op in ("QuantizeLinear", "DequantizeLinear"):
            return False
        reads = [v for v in op.inputs if v is not None and v.data is None]
        floats = [v for v in op.outputs if v.dtype.kind == "f"]
        return (
            any(v in self.codes for v in reads)
            and all(v in self.codes or v.dtype.kind != "f" for v in reads)
            and all(v in self.codes for v in floats)
        )

    def rebuilt(self, quantised: dict[Value, Value]) -> Subgraph:
        ops: list[Emitted] = []
        for op in self.graph.ops:
            if id(op) in self.integer:
                inputs = tuple(v if v is None else self.codes.get(v, v) for v in op.inputs)
                outputs = tuple(self.codes.get(v, v) for v in op.outputs)
                ops.append(replace(op, inputs=inputs, outputs=outputs))
            elif op.op == "QuantizeLinear":
                if not self.made_quantised(op):
                    ops.append(replace(op, outputs=(quantised[op.outputs[0]],)))
            elif op.op == "DequantizeLinear":
                if self.is_read_as_float(op):
                    first = self.codes[op.outputs[0]]
                    ops.append(replace(op, inputs=(first, *op.inputs[1:])))
            else:
                ops.append(op)
        outputs = tuple(quantised.get(v, v) for v in self.graph.outputs)
        names = {quantised.get(v, v): name for v, name in self.graph.names.items()}
        for value, code in self.codes.items():
            if value in self.graph.names:
                names.setdefault(code, self.graph.names[value])
        return Subgraph(self.graph.name, self.graph.inputs, outputs, tuple(ops), names)

    def made_quantised(self, quantize: Emitted) -> bool:
        source = quantize.inputs[0]
        maker = self.makers.get(source) if source is not None else None
        return maker is not None and id(maker) in self.integer and source in self.codes

    def is_read_as_float(self, dequantize: Emitted) -> bool:
        result = dequantize.outputs[0]
        readers = self.readers.get(result, [])
        return result in self.graph.outputs or any(id(r) not in self.integer for r in readers)

    def coded(self, code: Value, op: Emitted) -> Value:
        """Gives a tensor of codes the scale and zero point of the op that makes or reads it."""
        scale, zero = (op.inputs[i] if i < len(op.inputs) else None for i in (1, 2))
        if scale is None or scale.data is None or (zero is not None and zero.data is None):
            return code
        scales = tuple(np.atleast_1d(scale.data).astype(float).ravel().tolist())
        zeros = (0,) * len(scales) if zero is None else tuple(np.atleast_1d(zero.data).astype(int).ravel().tolist())
        axis = int(op.attrs.get("axis", 1)) if len(scales) > 1 else None
        dtype = zero.dtype if zero is not None and op.op == "QuantizeLinear" else code.dtype
        return Value(dtype, code.shape, code.data, Quant(scales, zeros, axis))
