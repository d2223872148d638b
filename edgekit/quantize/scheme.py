"""Schemes: which integers stand for weights and activations, and what a target asks of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgekit.diagnostics import error
from edgekit.quantize.codes import Codes


class Form(enum.StrEnum):
    """What a scheme changes in a model."""

    QDQ = "qdq"
    """Weights and activations lie between QuantizeLinear and DequantizeLinear: ranges are calibrated."""
    DYNAMIC = "dynamic"
    """Weights are integers; activations become integers when the model runs, by the range they then have."""
    WEIGHTS = "weights"
    """Weights are integers that are dequantised; arithmetic is in floats."""
    HALF = "half"
    """Weights are float16."""


EQUAL = frozenset(
    ("MaxPool", "AveragePool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split",
     "Concat", "Identity", "DepthToSpace", "SpaceToDepth", "Relu", "Clip", "Gather", "GlobalMaxPool",
     "Resize", "Pad")
)  # fmt: skip
"""Ops that move elements or pick among them, and those whose kernels do not rescale."""
FIXED: Mapping[str, Mapping[str, tuple[float, int]]] = {
    "int8": {"Softmax": (1 / 256, -128), "Sigmoid": (1 / 256, -128), "Tanh": (1 / 128, 0)},
    "uint8": {"Softmax": (1 / 256, 0), "Sigmoid": (1 / 256, 0), "Tanh": (1 / 128, 128)},
    "int16": {"Softmax": (1 / 32768, 0), "Sigmoid": (1 / 32768, 0), "Tanh": (1 / 32768, 0)},
}
"""Scale and zero point that TFLite's kernels give a result, by the dtype of activations and the op.

Source: TensorFlow Lite 8-bit quantization specification, and the 16x8 post-training guide beside it."""


@dataclass(frozen=True, slots=True)
class Numerics:
    """What kernels ask of scales and zero points; insertion satisfies it, whatever the ranges.

    Attributes:
        per_channel: Whether weights may have one scale per output channel.
        symmetric_weights: Whether the zero point of weights must be the middle one.
        symmetric_activations: Whether that of activations must.
        zero_points: Zero points that activations may have; `None` for any.
        power_of_two: Whether scales of activations and weights must be powers of two.
        equal: Types of ops whose operands and results share one scale.
        fixed: Scale and zero point of a result by the type of op; `None` for those of `FIXED`.
        bias_limit: Largest bias in units of `s_x * s_w`; scales of weights grow where it would be more.
    """

    per_channel: bool = True
    symmetric_weights: bool = False
    symmetric_activations: bool = False
    zero_points: frozenset[int] | None = None
    power_of_two: bool = False
    equal: frozenset[str] = EQUAL
    fixed: Mapping[str, tuple[float, int]] | None = None
    bias_limit: float = 2.0**30


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to quantise.

    Attributes:
        name: Its name.
        form: What it changes in a model.
        weights: Integers of constant weights; `None` where they are float16.
        activations: Integers of activations; `None` where they stay floats.
        numerics: What its scales and zero points must satisfy.
    """

    name: str
    form: Form
    weights: Codes | None
    activations: Codes | None = None
    numerics: Numerics = field(default_factory=Numerics)

    @property
    def is_calibrated(self) -> bool:
        """Whether ranges of activations must be known."""
        return self.form is Form.QDQ

    @property
    def fixed(self) -> Mapping[str, tuple[float, int]]:
        """Scale and zero point of a result by the type of op, where they are not free."""
        if self.activations is None:
            return {}
        return FIXED[self.activations.dtype] if self.numerics.fixed is None else self.numerics.fixed

    def under(self, numerics: Numerics) -> Scheme:
        """Returns this scheme as the kernels of a target want it.

        Args:
            numerics: What they ask.

        Returns:
            A scheme of the same name and dtypes: coarser weights or symmetric codes where asked for.
        """
        weights, activations = self.weights, self.activations
        if weights is not None:
            weights = replace(
                weights,
                per_channel=weights.per_channel and numerics.per_channel,
                symmetric=weights.symmetric or numerics.symmetric_weights,
            )
        if activations is not None:
            activations = replace(
                activations, symmetric=activations.symmetric or numerics.symmetric_activations
            )
        return replace(self, weights=weights, activations=activations, numerics=numerics)

    def in_blocks(self, size: int | None) -> Scheme:
        """Returns this scheme with another size of the blocks of weights.

        Args:
            size: Elements that share a scale; 0 for one scale per output channel, `None` for no change.

        Raises:
            EdgekitError: EK202 for a size below 0, or a scheme without blocks.
        """
        if size is None:
            return self
        if size < 0:
            raise error("EK202", f"the block size {size} is negative")
        if self.form is not Form.WEIGHTS or self.weights is None:
            raise error("EK202", f"the scheme `{self.name}` has no blocks", help="`w4` and `w8` have")
        return replace(self, weights=replace(self.weights, block=size))


_CHANNELS = Codes("int8", symmetric=True, per_channel=True)
_TABLE = (
    Scheme("int8", Form.QDQ, _CHANNELS, Codes("int8")),
    Scheme("int8-per-tensor", Form.QDQ, Codes("int8", symmetric=True), Codes("int8")),
    Scheme("uint8", Form.QDQ, Codes("uint8"), Codes("uint8")),
    Scheme("int16x8", Form.QDQ, _CHANNELS, Codes("int16", symmetric=True)),
    Scheme("dynamic", Form.DYNAMIC, _CHANNELS),
    Scheme("fp16", Form.HALF, None),
    Scheme("w8", Form.WEIGHTS, _CHANNELS),
    Scheme("w4", Form.WEIGHTS, Codes("int4", symmetric=True, per_channel=True)),
)
SCHEMES: Mapping[str, Scheme] = {s.name: s for s in _TABLE}
"""All schemes by name. `w8` and `w4` have one scale per output channel, or blocks by `in_blocks`."""


def scheme_named(name: str) -> Scheme:
    """Returns a scheme.

    Raises:
        EdgekitError: EK204 if there is none of this name.
    """
    if name not in SCHEMES:
        raise error("EK204", f"there is no scheme `{name}`", notes=(f"schemes: {', '.join(SCHEMES)}",))
    return SCHEMES[name]
