"""What the user may want of a Core ML package, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TARGETS = {
    **{f"iOS{n}": f"iOS{n}" for n in (15, 16, 17, 18)},
    **{f"macOS{n}": f"iOS{n + 3}" for n in (12, 13, 14, 15)},
    **{f"watchOS{n}": f"iOS{n + 7}" for n in (8, 9, 10, 11)},
    **{f"tvOS{n}": f"iOS{n}" for n in (15, 16, 17, 18)},
}
"""The iOS release whose op set a deployment target has, by name."""


@dataclass(frozen=True, slots=True)
class ImageInput:
    """An input that takes an image: `tensor = scale * pixel + bias`.

    Attributes:
        name: The input of the source model.
        scale: A factor for each channel.
        bias: Added to each channel.
        colour: `RGB`, `BGR`, `GRAYSCALE`, `GRAYSCALE_FLOAT16`: the order of the model's channels.
    """

    name: str
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    colour: str = "RGB"

    @property
    def channels(self) -> int:
        """How many channels the input has."""
        return 1 if self.colour.startswith("GRAYSCALE") else 3


@dataclass(frozen=True, slots=True)
class Classifier:
    """An output whose scores get labels.

    Attributes:
        output: The output of the source model.
        label: Name of the output that tells the class with the highest score.
    """

    output: str
    label: str = "classLabel"


@dataclass(frozen=True, slots=True)
class Compression:
    """How weights are stored.

    Attributes:
        kind: `palettize` (a table of values), `int8`, `int4` (linear), `prune` (zeros left out).
        bits: Bits of an index into the table.
        sparsity: Fraction of weights that pruning zeroes.
        block: How many weights share a scale (`int8`, `int4`), or channels a table (`palettize`); `None`
            for one scale per channel, or one table.
        mode: How a table is found: `kmeans` or `uniform`.
        threshold: Weights of at most so many elements stay as they are.
    """

    kind: str
    bits: int = 8
    sparsity: float = 0.5
    block: int | None = None
    mode: str = "kmeans"
    threshold: int = 2048


@dataclass(frozen=True, slots=True)
class CoreMlOptions:
    """What the user wants of a Core ML package.

    Attributes:
        minimum_deployment_target: The oldest system that shall run it.
        precision: `fp16` and `fp32` compute everything so; `mixed` is fp16 but for `keep_fp32`.
        keep_fp32: Types of MIL ops, or names of tensors, computed in fp32 (`mixed`); none if they are
            still to be found.
        image_inputs: Inputs that become images.
        classifier: The output that becomes labels.
        states: Outputs that the package keeps for the inputs of its next run, by input.
        enumerated: Shapes that an input may have, by name; the first is the default.
        ranges: Lowest and highest size of an axis, by input and axis.
        compress_weights: How weights are stored.
        metadata: `author`, `license`, `description`, `version` of the model.
    """

    minimum_deployment_target: str = "iOS18"
    precision: str = "fp16"
    keep_fp32: tuple[str, ...] = ()
    image_inputs: tuple[ImageInput, ...] = ()
    classifier: Classifier | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    enumerated: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    ranges: Mapping[str, Mapping[int, tuple[int, int]]] = field(default_factory=dict)
    compress_weights: Compression | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def opset(self) -> str:
        """The iOS release whose op set is used."""
        return TARGETS[self.minimum_deployment_target]

    @property
    def ios(self) -> int:
        """Its number."""
        return int(self.opset.removeprefix("iOS"))
