"""Images of another size."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import Untranslatable, translates


@translates("RESIZE_BILINEAR")
def resize_bilinear(call: Call) -> ir.Value:
    """RESIZE_BILINEAR -> linear Resize."""
    return _resized(call, _where(call), mode="linear")


@translates("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(call: Call) -> ir.Value:
    """RESIZE_NEAREST_NEIGHBOR -> nearest Resize: floor, or round half up where centres are aligned."""
    where = _where(call)
    rounding = "floor" if where == "asymmetric" else "round_prefer_ceil"
    return _resized(call, where, mode="nearest", nearest_mode=rounding)


def _where(call: Call) -> str:
    corners, centres = bool(call.attr("align_corners")), bool(call.attr("half_pixel_centers"))
    if corners and centres:
        raise Untranslatable("it aligns both corners and centres")
    return "align_corners" if corners else "half_pixel" if centres else "asymmetric"


def _resized(call: Call, where: str, **attrs: str) -> ir.Value:
    call.images(0)
    sizes = call.numbers(1, "sizes")
    if len(sizes) != 2 or min(sizes) < 1:
        raise Untranslatable(f"{sizes} is no size of an image")
    x = call.to_first(call.operand(0))
    y = call.op(
        "Resize", x, None, None, call.ints(sizes), axes=[2, 3], coordinate_transformation_mode=where, **attrs
    )
    return call.to_last(y)
