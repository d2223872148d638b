"""`TensorSpec`: what is known of a tensor without its values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

Dim = int | str | None
"""A size, the name of a symbolic size, or unknown."""


class Layout(enum.StrEnum):
    """Order of the axes of an image-like tensor."""

    NCHW = "NCHW"
    NHWC = "NHWC"


@dataclass(frozen=True, slots=True)
class Quant:
    """Affine quantisation `real = scale * (q - zero_point)`.

    Of a float32 constant it is the grid on which every element lies.

    Attributes:
        scale: One per channel, or one in all.
        zero_point: As many as `scale`.
        axis: The channel axis; `None` for per-tensor quantisation.

    Source: TensorFlow Lite 8-bit quantization specification.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, dtype and shape of a tensor.

    Attributes:
        name: The name in the source model.
        dtype: The numpy (or ml_dtypes) dtype of an element.
        shape: Sizes; a string is a symbolic size, `None` an unknown one. `None` in all: unknown rank.
        layout: Order of the axes where it is known.
        quant: Quantisation, for integer tensors that stand for reals.
    """

    name: str
    dtype: np.dtype
    shape: tuple[Dim, ...] | None
    layout: Layout | None = None
    quant: Quant | None = None

    @property
    def static_shape(self) -> tuple[int, ...] | None:
        """The shape when every size is known, else `None`."""
        if self.shape is None:
            return None
        sizes = tuple(d for d in self.shape if isinstance(d, int))
        return sizes if len(sizes) == len(self.shape) else None
