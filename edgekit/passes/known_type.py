"""CastLike to a type that is known is a Cast: exporters cast the bias of a convolution like its input."""

from __future__ import annotations

import onnx_ir as ir


def state_type(node: ir.Node) -> bool:
    """Turns a CastLike into a Cast where the type of its second input is known.

    Args:
        node: In the newest form of its op; changed in place.

    Returns:
        Whether it was changed.
    """
    if node.domain or node.op_type != "CastLike" or len(node.inputs) != 2:
        return False
    like = node.inputs[1]
    if like is None or like.dtype is None:
        return False
    node.op_type = "Cast"
    node.attributes["to"] = ir.AttrInt64("to", int(like.dtype))
    node.resize_inputs(1)
    return True
