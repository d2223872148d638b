"""Upsample and Resize before version 13.

Upsample and the Resize of version 10 scale from the corner (`asymmetric`), and nearest takes the pixel
before; only when shrinking, ONNX Runtime's version 10 takes the pixel after. Version 11 names the
rules. `tf_half_pixel_for_nn` of version 11 is gone in version 13, but has equals for nearest.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute, constant, operand, size_of
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Upsample", to=7)
def scales_of_all_axes(maker: Maker) -> None:
    """Scales of height and width become a list for [N, C, H, W]."""
    node = maker.node
    sizes = [attribute(node, name) for name in ("height_scale", "width_scale")]
    if None in sizes:
        raise refuse(node, "a scale is missing")
    for name in ("height_scale", "width_scale"):
        node.attributes.pop(name)
    node.attributes["scales"] = ir.AttrFloat32s("scales", [1.0, 1.0, *sizes])
    if attribute(node, "mode") == "bilinear":
        node.attributes["mode"] = ir.AttrString("mode", "linear")


@adapts("Upsample", to=9)
def scales_as_input(maker: Maker) -> None:
    """The attribute becomes a constant."""
    node = maker.node
    scales = maker.const(attribute(node, "scales", ()), np.float32, "scales")
    node.attributes.pop("scales", None)
    node.resize_inputs(2)
    node.replace_input_with(1, scales)


@adapts("Upsample", to=10)
def becomes_resize(maker: Maker) -> None:
    """Upsample is a Resize that never shrinks, so nearest is known to take the pixel before."""
    node = maker.node
    rounding = "floor" if attribute(node, "mode", "nearest") == "nearest" else None
    maker.replace(
        maker.op("Resize", *node.inputs, mode=attribute(node, "mode", "nearest"), nearest_mode=rounding)
    )


@adapts("Resize", to=11)
def corner_rules(maker: Maker) -> None:
    """States the rules that were implied."""
    node = maker.node
    x, scales = node.inputs
    rules = {"coordinate_transformation_mode": "asymmetric", "mode": attribute(node, "mode", "nearest")}
    roi = maker.const([], np.float32, "roi")
    rounding = attribute(node, "nearest_mode")
    if rounding is not None or rules["mode"] != "nearest":
        maker.replace(maker.op("Resize", x, roi, scales, nearest_mode=rounding, **rules))
        return
    factors = constant(scales)
    if factors is None:
        raise refuse(node, "nearest rounds by whether it shrinks, and the scales are computed at run time")
    shrinks = factors < 1
    for mask, rounding in ((shrinks, "ceil"), (~shrinks, "floor")):
        if not mask.any() or (rounding == "floor" and shrinks.any() and (factors[mask] == 1).all()):
            continue
        partial = maker.const(np.where(mask, factors, 1), np.float32, "scales")
        x = maker.op("Resize", x, roi, partial, nearest_mode=rounding, **rules)
    maker.replace(x)


@adapts("Resize", to=13)
def named_rules(maker: Maker) -> None:
    """Empty tensors for inputs that are not given are left out; `tf_half_pixel_for_nn` is rewritten."""
    node = maker.node
    if attribute(node, "coordinate_transformation_mode") == "tf_half_pixel_for_nn":
        _half_pixel_for_nearest(maker)
    keeps_roi = attribute(node, "coordinate_transformation_mode") == "tf_crop_and_resize"
    for index in (1, 2, 3):
        value = operand(node, index)
        empty = value is not None and size_of(value) == 0
        if value is not None and (empty or (index == 1 and not keeps_roi)):
            node.replace_input_with(index, None)
    if operand(node, 2) is not None and operand(node, 3) is not None:
        raise refuse(node, "both `scales` and `sizes` are given, or one is empty only at run time")


_SHIFTED = {"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}


def _half_pixel_for_nearest(maker: Maker) -> None:
    """Its coordinate is that of `half_pixel` plus one half: floor(c + 1/2) rounds c, and so on."""
    node = maker.node
    rounding = attribute(node, "nearest_mode", "round_prefer_floor")
    if attribute(node, "mode", "nearest") != "nearest" or rounding not in _SHIFTED:
        raise refuse(node, "`tf_half_pixel_for_nn` has no equal for this mode")
    node.attributes["coordinate_transformation_mode"] = ir.AttrString(
        "coordinate_transformation_mode", "half_pixel"
    )
    node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", _SHIFTED[rounding])
