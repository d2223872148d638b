"""TensorFlow's SAME and VALID as ONNX's pads."""

from __future__ import annotations

from typing import Any

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import Untranslatable


def window(call: Call, kernel: tuple[int, int], image: int = 0, *, dilated: bool = True) -> dict[str, Any]:
    """Returns strides, dilations and pads of a window that slides over an NHWC image.

    Args:
        call: The op.
        kernel: Height and width.
        image: Which operand the image is.
        dilated: Whether the op has dilations.

    Returns:
        Attributes of Conv or a pool; `auto_pad` where the pads follow from a size known only at run time.
    """
    strides = positive(call.attr("stride_h", 1), call.attr("stride_w", 1))
    names = ("dilation_h_factor", "dilation_w_factor")
    dilations = positive(*(call.attr(n, 1) for n in names)) if dilated else (1, 1)
    attrs: dict[str, Any] = {"strides": list(strides)}
    if dilations != (1, 1):
        attrs["dilations"] = list(dilations)
    if call.attr("padding") != "SAME":
        return attrs
    sizes = call.shape(image)[1:3]
    pads = [same(s, k, st, d) for s, k, st, d in zip(sizes, kernel, strides, dilations, strict=True)]
    if None in pads:
        return attrs | {"auto_pad": "SAME_UPPER"}
    known = [p for p in pads if p is not None]
    return attrs | {"pads": [before for before, _ in known] + [after for _, after in known]}


def same(size: int | None, kernel: int, stride: int, dilation: int) -> tuple[int, int] | None:
    """Returns the pads in front of and behind an axis, or `None` where its size is not known."""
    if size is None:
        return None
    total = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


def positive(*numbers: int) -> tuple[int, ...]:
    """Returns strides, dilations or taps.

    Raises:
        Untranslatable: If one is not positive.
    """
    if min(numbers) < 1:
        raise Untranslatable(f"a stride, a dilation or a window is {min(numbers)}")
    return numbers


def taps(call: Call, index: int, first: int) -> tuple[int, int]:
    """Returns height and width of weights whose spatial axes begin at an axis."""
    sizes = call.shape(index)[first : first + 2]
    known = [s for s in sizes if s is not None]
    if len(known) != 2:
        raise Untranslatable("the size of its window is known only at run time")
    height, width = positive(*known)
    return height, width
