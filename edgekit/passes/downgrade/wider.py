"""An op that an older opset has in float32 only: bfloat16 goes through float32, rounded once at the end."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker

_NARROW = ir.DataType.BFLOAT16


def through_float32(node: ir.Node) -> list[ir.Node]:
    """Replaces a node of bfloat16 tensors by one of float32 tensors between casts.

    Args:
        node: A node that computes elementwise or in sums, so that float32 is no less exact.

    Returns:
        The nodes made; none, with nothing changed, where the node has no bfloat16 operand.
    """
    if not any(v is not None and v.dtype is _NARROW for v in node.inputs):
        return []
    maker = Maker(node)
    operands = [
        _cast(maker, v, ir.DataType.FLOAT) if v is not None and v.dtype is _NARROW else v for v in node.inputs
    ]
    attributes = {name: attr.value for name, attr in node.attributes.items()}
    results = maker.ops(node.op_type, *operands, outputs=len(node.outputs), **attributes)
    finished: list[ir.Value | None] = []
    for old, new in zip(node.outputs, results, strict=True):
        narrow = old.dtype is _NARROW
        new.type, new.shape = ir.TensorType(ir.DataType.FLOAT) if narrow else old.type, old.shape
        finished.append(_cast(maker, new, _NARROW) if narrow else new)
    maker.replace(*finished)
    return maker.made


def _cast(maker: Maker, value: ir.Value, dtype: ir.DataType) -> ir.Value:
    cast = maker.op("Cast", value, to=int(dtype))
    cast.type, cast.shape = ir.TensorType(dtype), value.shape
    return cast
