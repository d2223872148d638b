"""What of a quantised model TVM computes in float, and why."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic
from edgekit.ir import Model, numpy_dtype, origin_of
from edgekit.lowering.tflite.integer.islands import Island, diagnostics, nothing_quantised
from edgekit.lowering.tvm.builder import TVMBuilder

_MARKERS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
_MOVES = frozenset(
    (
        *("Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GlobalMaxPool", "Identity", "MaxPool"),
        *(
            "Pad",
            "Reshape",
            "Shape",
            "Slice",
            "SpaceToDepth",
            "Split",
            "Squeeze",
            "Tile",
            "Transpose",
            "Unsqueeze",
        ),
    )
)
_RESCALING = frozenset(("Add", "Sub", "Mul", "Relu", "Clip", "LeakyRelu", "Max", "Min", "Sum"))
"""Arithmetic that every integer kernel does between scales: here by one float32 factor, in registers."""


def float_islands(model: Model, builder: TVMBuilder, *, required: bool) -> tuple[Diagnostic, ...]:
    """Reports the nodes of a quantised model that compute in float.

    Args:
        model: The prepared model.
        builder: The builder that lowered it.
        required: Whether float is refused (EK402) instead of reported (EK401).

    Returns:
        One diagnostic per op and reason; nothing for a model that nobody quantised, unless integers are
        required.
    """
    quantised = any(node.op_type in _MARKERS for node in model.ir.graph)
    if required and not builder.integers:
        return (nothing_quantised(),)
    return diagnostics(tuple(_islands(model, builder)), required) if quantised else ()


def _islands(model: Model, builder: TVMBuilder) -> Iterator[Island]:
    for node in model.ir.graph:
        if node in builder.integers or node.op_type in _MARKERS or not _touches_floats(node):
            continue
        if node.op_type in _MOVES or (node.op_type in _RESCALING and _is_between(node)):
            continue
        reason = builder.reasons.get(node, "TVM computes it on reals, between the roundings of the model")
        yield Island(node.op_type, origin_of(node), reason)


def _touches_floats(node: ir.Node) -> bool:
    values = (*node.inputs, *node.outputs)
    return any(v is not None and v.dtype is not None and numpy_dtype(v.dtype).kind == "f" for v in values)


def _is_between(node: ir.Node) -> bool:
    """Tells whether an op lies between quantised tensors, or other arithmetic and moves that do."""
    before = [v.producer() for v in node.inputs if v is not None and v.const_value is None]
    return all(p is not None and (p.op_type in _MARKERS or _passes(p)) for p in before) and bool(before)


def _passes(node: ir.Node) -> bool:
    return node.op_type in _MOVES | _RESCALING or any(
        v is not None and (p := v.producer()) is not None and p.op_type in _MARKERS for v in node.inputs
    )
