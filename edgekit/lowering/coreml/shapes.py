"""Flexible shapes and images: coremltools' description of a program's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.artifact import Sizes
from edgekit.diagnostics import error
from edgekit.ir import Model
from edgekit.lowering.coreml.option_types import CoreMlOptions
from edgekit.lowering.coreml.tools import coremltools
from edgekit.lowering.ledger import Value

DEFAULT_LIMIT = 1 << 14
"""Highest size of an axis known only at run time, where the user gives none; Core ML wants one."""


def input_types(
    source: Model, ports: Sequence[Value], names: Mapping[Value, str], options: CoreMlOptions
) -> Sequence[Any]:
    """Returns one input type for each port that is not a state.

    Args:
        source: The model.
        ports: The port of each of its inputs.
        names: What the ports are called.
        options: Images and flexible shapes.

    Raises:
        EdgekitError: EK204 if the options give shapes that the model does not take, or an image that
            its input is not.
    """
    ct = coremltools()
    return [
        _input(ct, spec.name, value, names[value], options)
        for spec, value in zip(source.inputs, ports, strict=True)
        if spec.name not in options.states
    ]


def sizes_of(source: str, value: Value, options: CoreMlOptions) -> Sizes | None:
    """Returns which shapes the user wants of an input; `None` where nothing was said of them."""
    if source in options.enumerated:
        return Sizes(choices=options.enumerated[source])
    spans = options.ranges.get(source)
    return None if spans is None else Sizes(ranges=tuple(map(spans.get, range(value.rank))))


def _input(ct: Any, source: str, value: Value, name: str, options: CoreMlOptions) -> Any:
    shape = _shape(ct, source, value, options)
    image = next((i for i in options.image_inputs if i.name == source), None)
    if image is None:
        return ct.TensorType(name=name, shape=shape)
    if value.rank != 4 or value.shape[:2] != (1, image.channels):
        raise error(
            "EK204",
            f"the input `{source}` of shape {list(value.shape)} is no image",
            notes=[f"{image.colour} needs [1, {image.channels}, height, width]"],
        )
    layout = getattr(ct.colorlayout, image.colour)
    return ct.ImageType(name=name, shape=shape, color_layout=layout, channel_first=True)


def _shape(ct: Any, source: str, value: Value, options: CoreMlOptions) -> Any:
    alternatives = options.enumerated.get(source)
    if alternatives is not None:
        for sizes in alternatives:
            _fit(source, value, sizes)
        return ct.EnumeratedShapes(shapes=[list(s) for s in alternatives], default=list(alternatives[0]))
    spans = options.ranges.get(source, {})
    for axis, span in spans.items():
        fixed = value.shape[axis] if 0 <= axis < value.rank else 0
        if fixed is not None and span != (fixed, fixed):
            raise error(
                "EK204", f"the axis {axis} of the input `{source}` is not open", notes=[f"range: {span}"]
            )
    return ct.Shape(shape=[_size(ct, *_span(d, spans.get(axis))) for axis, d in enumerate(value.shape)])


def _span(size: int | None, span: tuple[int, int] | None) -> tuple[int, int]:
    return (size, size) if size is not None else span or (1, DEFAULT_LIMIT)


def _size(ct: Any, low: int, high: int) -> Any:
    return low if low == high else ct.RangeDim(lower_bound=low, upper_bound=high, default=low)


def _fit(source: str, value: Value, sizes: Sequence[int]) -> None:
    if len(sizes) != value.rank or any(
        d is not None and d != s for d, s in zip(value.shape, sizes, strict=True)
    ):
        raise error("EK204", f"the input `{source}` does not take the shape {list(sizes)}")
