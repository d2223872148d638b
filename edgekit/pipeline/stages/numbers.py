"""Normalise, layout, quantise, dequantise, activation: what the numbers mean and how they lie in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.pipeline.stage import Array, Stage, Unfit, need_image, stage

INTEGERS = ("uint8", "int8", "int16")
Numbers = tuple[float, ...]


@stage("normalise")
@dataclass(frozen=True, slots=True)
class Normalise(Stage):
    """Computes (value * scale - mean) / std in float32, per channel or for all.

    Attributes:
        scale: Factor before the mean is taken away; 1/255 brings pixels to 0 to 1.
        mean: One, or one for each channel.
        std: One, or one for each channel.
    """

    scale: float = 1 / 255
    mean: Numbers = (0.0,)
    std: Numbers = (1.0,)

    def __post_init__(self) -> None:
        if any(s == 0 for s in self.std):
            raise ValueError("a `std` of 0")

    def apply(self, value: Array) -> Array:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, value.shape[-1]):
                raise Unfit(f"{len(numbers)} numbers of `{name}` for {value.shape[-1]} channels")
        scaled = value.astype(np.float32) * np.float32(self.scale)
        shifted: Array = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return shifted


@stage("layout")
@dataclass(frozen=True, slots=True)
class Layout(Stage):
    """Puts an image into the order of axes that the model takes, with a batch axis in front.

    Attributes:
        order: `nchw` or `nhwc`.
    """

    order: str = "nchw"

    def __post_init__(self) -> None:
        if self.order not in ("nchw", "nhwc"):
            raise ValueError(f"`order` is `nchw` or `nhwc`, not `{self.order}`")

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        return np.ascontiguousarray(value.transpose(2, 0, 1) if self.order == "nchw" else value)[None]


@stage("quantise")
@dataclass(frozen=True, slots=True)
class Quantise(Stage):
    """Computes round(value / scale) + zero_point, halves to even, saturated.

    Attributes:
        scale: The step.
        zero_point: What 0 becomes.
        dtype: `uint8`, `int8` or `int16`.
    """

    scale: float
    zero_point: int = 0
    dtype: str = "int8"

    def __post_init__(self) -> None:
        if self.dtype not in INTEGERS:
            raise ValueError(f"`dtype` is one of {', '.join(INTEGERS)}, not `{self.dtype}`")
        if not self.scale > 0:
            raise ValueError(f"the scale {self.scale} is not positive")

    def apply(self, value: Array) -> Array:
        codes = np.rint(value.astype(np.float32) / np.float32(self.scale)) + self.zero_point
        limits = np.iinfo(self.dtype)
        clipped: Array = np.clip(codes, limits.min, limits.max).astype(self.dtype)
        return clipped


@stage("dequantise")
@dataclass(frozen=True, slots=True)
class Dequantise(Stage):
    """Computes (code - zero_point) * scale in float32.

    Attributes:
        scale: The step.
        zero_point: The code of 0.
    """

    scale: float
    zero_point: int = 0

    def apply(self, value: Array) -> Array:
        codes = value.astype(np.float32) - np.float32(self.zero_point)
        reals: Array = codes * np.float32(self.scale)
        return reals


@stage("softmax")
@dataclass(frozen=True, slots=True)
class Softmax(Stage):
    """Turns the last axis into probabilities."""

    def apply(self, value: Array) -> Array:
        shifted = np.exp(value - value.max(axis=-1, keepdims=True))
        probabilities: Array = (shifted / shifted.sum(axis=-1, keepdims=True)).astype(value.dtype)
        return probabilities


@stage("sigmoid")
@dataclass(frozen=True, slots=True)
class Sigmoid(Stage):
    """Computes 1 / (1 + exp(-value))."""

    def apply(self, value: Array) -> Array:
        with np.errstate(over="ignore"):  # exp grows to infinity, whose reciprocal is the right 0
            probabilities: Array = (1 / (1 + np.exp(-value.astype(np.float32)))).astype(value.dtype)
        return probabilities
