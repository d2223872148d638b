"""Markers of quantisation that no integer kernel took in, in explicit float32 arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.requantize import saturated


def write_out(graph: Subgraph) -> Subgraph:
    """Replaces every marker by arithmetic that gives ONNX's codes exactly; in nested graphs too.

    Args:
        graph: Any graph; an op is a marker if it has the attribute `quant`.

    Returns:
        The graph without markers.
    """
    ops: list[Emitted] = []
    for op in graph.ops:
        if "quant" in op.attrs:
            ops += _arithmetic(op)
            continue
        nested = {k: write_out(v) if isinstance(v, Subgraph) else v for k, v in op.attrs.items()}
        ops.append(replace(op, attrs=nested))
    return replace(graph, ops=tuple(ops))


def _arithmetic(op: Emitted) -> list[Emitted]:
    b, quant, x = TFLiteBuilder(), op.attrs["quant"], op.inputs[0]
    assert x is not None
    b.origin = op.origin
    made = _quantised(b, x, quant, op) if op.op == "QUANTIZE" else _dequantised(b, x, quant)
    if not b.ops or made not in b.ops[-1].outputs:
        raise AssertionError(f"`{op.op}` computes nothing")
    return [*b.ops[:-1], replace(b.ops[-1], outputs=op.outputs)]


def _quantised(b: TFLiteBuilder, x: Value, quant: Quant, op: Emitted) -> Value:
    zero = Term(b, b.const(np.float32(quant.zero_point[0]))) if quant.zero_point[0] else None
    return saturated(Term(b, x) / float(quant.scale[0]), zero, op.outputs[0].dtype).value


def _dequantised(b: TFLiteBuilder, x: Value, quant: Quant) -> Value:
    signal = Term(b, x).cast(np.float32)
    if quant.zero_point[0]:
        signal = signal - float(quant.zero_point[0])
    return (signal * float(quant.scale[0])).value
