"""Forms whose meaning or names changed."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.downgrade.table import Unreachable, reverses
from edgekit.passes.edit import Maker, attribute, constant, dims, operand, rank_of


@reverses("Softmax", "LogSoftmax", "Hardmax", of=13)
def softmax(maker: Maker) -> None:
    """Before, all axes from `axis` on were one: any but the last is moved to the end and back."""
    node = maker.node
    rank = rank_of(node.inputs[0])
    if rank is None:
        raise Unreachable("the rank of the input is unknown")
    axis = attribute(node, "axis", -1) % rank
    if axis == rank - 1:
        node.attributes["axis"] = ir.AttrInt64("axis", axis)
        return
    perm = [a for a in range(rank) if a != axis] + [axis]
    moved = maker.op("Transpose", node.inputs[0], perm=perm)
    result = maker.op(node.op_type, moved, axis=rank - 1)
    maker.replace(maker.op("Transpose", result, perm=[int(a) for a in np.argsort(perm)]))


@reverses("GridSample", of=20)
def grid_sample(maker: Maker) -> None:
    """Modes were named for two axes, the only case."""
    node = maker.node
    if rank_of(node.inputs[0]) != 4:
        raise Unreachable("it samples another number of axes than two")
    old = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}
    mode = attribute(node, "mode", "linear")
    if mode not in old:
        raise Unreachable(f"the mode `{mode}` does not exist")
    node.attributes["mode"] = ir.AttrString("mode", old[mode])


@reverses("RoiAlign", of=16)
def roi_align(maker: Maker) -> None:
    """Coordinates were not shifted."""
    name = "coordinate_transformation_mode"
    if attribute(maker.node, name, "half_pixel") != "output_half_pixel":
        raise Unreachable("its coordinates are shifted by half a pixel")
    maker.node.attributes.pop(name)


@reverses("Resize", of=13)
def resize_empty(maker: Maker) -> None:
    """What is left out was an empty tensor."""
    node = maker.node
    node.resize_inputs(max(len(node.inputs), 3))
    for index, hint in ((1, "roi"), (2, "scales")):
        if operand(node, index) is None:
            node.replace_input_with(index, maker.const([], np.float32, hint))


@reverses("Resize", of=11)
def resize_rules(maker: Maker) -> None:
    """Only scaling from the corner existed: linear, or nearest with the pixel before when growing."""
    node = maker.node
    scales = constant(operand(node, 2))
    mode = attribute(node, "mode", "nearest")
    if attribute(node, "coordinate_transformation_mode", "half_pixel") != "asymmetric" or mode == "cubic":
        raise Unreachable("its coordinates are not scaled from the corner")
    if scales is None or not scales.size or operand(node, 3) is not None:
        raise Unreachable("its scales are not constant")
    if mode == "nearest" and (attribute(node, "nearest_mode", "") != "floor" or (scales < 1).any()):
        raise Unreachable("it rounds in another way than nearest did")
    maker.replace(maker.op("Resize", node.inputs[0], operand(node, 2), mode=mode))


@reverses("Dropout", of=12)
def dropout(maker: Maker) -> None:
    """The ratio as an attribute; at inference it has no influence."""
    node = maker.node
    ratio = constant(operand(node, 1))
    if operand(node, 2) is not None or len(node.outputs) > 1:
        raise Unreachable("it may be in training mode, or its mask is used")
    if ratio is not None:
        node.attributes["ratio"] = ir.AttrFloat32("ratio", float(ratio.reshape(-1)[0]))
    node.attributes.pop("seed", None)
    node.resize_inputs(1)


@reverses("Gemm", of=11)
def gemm_bias(maker: Maker) -> None:
    """The bias was required."""
    node = maker.node
    if operand(node, 2) is None and node.outputs[0].dtype is not None:
        node.resize_inputs(3)
        node.replace_input_with(2, maker.const(0, node.outputs[0].dtype, "bias"))


@reverses("Sum", of=8)
def sum_of_equal_shapes(maker: Maker) -> None:
    """Sum did not broadcast; Add does."""
    node = maker.node
    if _equal_shapes(node):
        return
    total = node.inputs[0]
    for value in node.inputs[1:]:
        total = maker.op("Add", total, value)
        total.type = node.outputs[0].type
    maker.replace(total)


@reverses("Max", "Min", "Mean", of=8)
def equal_shapes(maker: Maker) -> None:
    """They did not broadcast."""
    if not _equal_shapes(maker.node):
        raise Unreachable("it broadcasts, and its operands had to have equal shapes")


def _equal_shapes(node: ir.Node) -> bool:
    shape = dims(node.inputs[0])
    return shape is not None and None not in shape and all(dims(v) == shape for v in node.inputs)


_WITH_AXIS = (
    "ArgMax",
    "ArgMin",
    "Concat",
    "Compress",
    "Flatten",
    "Gather",
    "Hardmax",
    "LogSoftmax",
    "Softmax",
)
_WITH_AXES = (
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
)


@reverses(*_WITH_AXIS, "Split", "Squeeze", "Unsqueeze", "OneHot", of=11)
@reverses(*_WITH_AXES, "ReduceProd", "ReduceSum", "ReduceSumSquare", of=11)
def axes_from_the_front(maker: Maker) -> None:
    """Axes were not counted from the back."""
    node = maker.node
    at = node.outputs[0] if node.op_type in ("Unsqueeze", "OneHot") else node.inputs[0]
    rank = rank_of(at)
    for name in ("axis", "axes"):
        value = attribute(node, name)
        axes = [] if value is None else [value] if isinstance(value, int) else list(value)
        if all(a >= 0 for a in axes) or (node.op_type == "OneHot" and axes == [-1]):
            continue
        if rank is None:
            raise Unreachable("the rank of the input is unknown")
        axes = [a + rank if a < 0 else a for a in axes]
        single = isinstance(value, int)
        node.attributes[name] = ir.AttrInt64(name, axes[0]) if single else ir.AttrInt64s(name, axes)


@reverses("Mod", of=28)
def floored_mod(maker: Maker) -> None:
    """Floats had the truncated remainder only; the floored one is moved to the side of the divisor."""
    node = maker.node
    a, b = node.inputs
    if a is None or a.dtype is None or not a.dtype.is_floating_point() or attribute(node, "fmod", 0):
        return
    zero = maker.const(0, a.dtype, "zero")
    rest = maker.op("Mod", a, b, fmod=1)
    apart = maker.op("Xor", maker.op("Less", rest, zero), maker.op("Less", b, zero))
    left = maker.op("Not", maker.op("Equal", rest, zero))
    rest_on_side = maker.op("Where", maker.op("And", apart, left), maker.op("Add", rest, b), rest)
    maker.replace(rest_on_side)
