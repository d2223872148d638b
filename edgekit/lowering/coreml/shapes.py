"""Flexible shapes and images: coremltools' description of a program's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.diagnostics import error
from edgekit.ir import Model
from edgekit.lowering.coreml.options import CoreMlOptions
from edgekit.lowering.coreml.tools import coremltools
from edgekit.lowering.ledger import Subgraph, Value

DEFAULT_LIMIT = 1 << 14
"""Highest size of an axis known only at run time, where the user gives none; Core ML wants one."""


def input_types(
    source: Model, main: Subgraph, names: Mapping[Value, str], options: CoreMlOptions
) -> Sequence[Any]:
    """Returns one input type for each port.

    Raises:
        EdgekitError: EK204 if the options name no input, or shapes that the model does not take.
    """
    ct = coremltools()
    known = [s.name for s in source.inputs]
    image = options.image_input
    for name in (*options.enumerated, *options.ranges, *([image.name] if image else ())):
        if name not in known:
            listed = ", ".join(f"`{k}`" for k in known)
            raise error("EK204", f"the model has no input `{name}`", notes=[f"inputs: {listed}"])
    return [
        _input(ct, spec.name, value, names[value], options)
        for spec, value in zip(source.inputs, main.inputs, strict=True)
    ]


def _input(ct: Any, source: str, value: Value, name: str, options: CoreMlOptions) -> Any:
    shape = _shape(ct, source, value, options)
    image = options.image_input
    if image is None or image.name != source:
        return ct.TensorType(name=name, shape=shape)
    channels = 1 if image.colour == "GRAYSCALE" else 3
    if value.rank != 4 or value.shape[:2] != (1, channels):
        raise error(
            "EK204",
            f"the input `{source}` of shape {list(value.shape)} is no image",
            notes=[f"{image.colour} needs [1, {channels}, height, width]"],
        )
    bias = image.bias[0] if channels == 1 else list(image.bias)
    layout = getattr(ct.colorlayout, image.colour)
    return ct.ImageType(
        name=name, shape=shape, scale=image.scale, bias=bias, color_layout=layout, channel_first=True
    )


def _shape(ct: Any, source: str, value: Value, options: CoreMlOptions) -> Any:
    alternatives = options.enumerated.get(source)
    if alternatives is not None:
        for sizes in alternatives:
            _fit(source, value, sizes)
        return ct.EnumeratedShapes(shapes=[list(s) for s in alternatives], default=list(alternatives[0]))
    spans = options.ranges.get(source, {})
    for axis, span in spans.items():
        if not 0 <= axis < value.rank or value.shape[axis] is not None:
            raise error(
                "EK204", f"the axis {axis} of the input `{source}` is not open", notes=[f"range: {span}"]
            )
    return ct.Shape(shape=[_size(ct, d, spans.get(axis)) for axis, d in enumerate(value.shape)])


def _size(ct: Any, size: int | None, span: tuple[int, int] | None) -> Any:
    if size is not None:
        return size
    low, high = span or (1, DEFAULT_LIMIT)
    return ct.RangeDim(lower_bound=low, upper_bound=high, default=low)


def _fit(source: str, value: Value, sizes: Sequence[int]) -> None:
    if len(sizes) != value.rank or any(
        d is not None and d != s for d, s in zip(value.shape, sizes, strict=True)
    ):
        raise error("EK204", f"the input `{source}` does not take the shape {list(sizes)}")
