"""The facts of ONNX ops in their newest form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from edgekit.compat.facts.base import Facts, Pair, from_end
from edgekit.lowering.ledger import Value

_WEIGHTS = {1: "weights", 2: "bias"}
_QLINEAR_CONV = {1: "scale", 2: "zero_point", 3: "weights", 4: "weight_scale", 5: "weight_zero_point"} | {
    6: "result_scale",
    7: "result_zero_point",
    8: "bias",
}
_REDUCE = "Max Min Mean Sum Prod L1 L2 LogSum LogSumExp SumSquare"

_ROLES: Mapping[str, Mapping[int, str]] = {
    name: roles
    for names, roles in (
        (
            "Conv ConvTranspose Gemm DeformConv LayerNormalization InstanceNormalization GroupNormalization",
            _WEIGHTS,
        ),
        ("RMSNormalization", {1: "weights"}),
        ("QLinearConv", _QLINEAR_CONV),
        ("LSTM GRU RNN", {1: "weights", 2: "recurrence", 3: "bias", 4: "lengths"}),
        ("BatchNormalization", {1: "weights", 2: "bias", 3: "mean", 4: "variance"}),
        (" ".join(f"Reduce{kind}" for kind in _REDUCE.split()), {1: "axes"}),
        ("Squeeze Unsqueeze CumSum", {1: "axes"}),
        ("Reshape Expand", {1: "shape"}),
        ("Resize", {1: "roi", 2: "scales", 3: "sizes"}),
        ("Slice", {1: "starts", 2: "ends", 3: "axes", 4: "steps"}),
        ("Pad", {1: "pads", 2: "value", 3: "axes"}),
        ("Clip", {1: "min", 2: "max"}),
        ("Split", {1: "split"}),
        ("Gather GatherElements GatherND ScatterND ScatterElements", {1: "indices"}),
        ("Tile", {1: "repeats"}),
        ("PRelu", {1: "alpha"}),
        ("TopK", {1: "k"}),
        ("OneHot", {1: "depth", 2: "values"}),
        ("QuantizeLinear DequantizeLinear", {1: "scale", 2: "zero_point"}),
    )
    for name in names.split()
}
"""The operands that are no feature maps."""

_AXIS_DEFAULT = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "LayerNormalization"), -1),
    **dict.fromkeys(("ArgMax", "ArgMin", "Split", "Gather", "GatherElements"), 0),
    **dict.fromkeys(("Flatten",), 1),
    **dict.fromkeys(("RMSNormalization", "TopK"), -1),
}
_GLOBAL = ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")


class OnnxFacts(Facts):
    """What an ONNX op is."""

    PARAMETERS = _ROLES
    WINDOWED = frozenset(
        {"Conv", "ConvTranspose", "AveragePool", "MaxPool", "LpPool", "QLinearConv", *_GLOBAL}
    )
    ALONG_AXES = frozenset(name for name, roles in _ROLES.items() if "axes" in roles.values()) | {
        *_AXIS_DEFAULT,
        "Concat",
    }
    SPACE = "NCHW"

    def letters(self, value: Value) -> str:
        """Batch, channels, then space."""
        return {0: "", 1: "C", 2: "NC", 3: "NCW", 4: "NCHW"}.get(
            value.rank, "NC" + "D" * (value.rank - 4) + "HW"
        )

    @cached_property
    def kernel(self) -> Pair | None:
        """Height and width of the window; a window over one axis is one row high."""
        given = self.emitted.attrs.get("kernel_shape")
        weights = self.roles.get("weights")
        if given is None and self.name in _GLOBAL and self.ifm is not None:
            given = self.ifm.shape[2:]
        if given is None and self.name in ("Conv", "ConvTranspose") and weights is not None:
            given = weights.shape[2:]
        return _pair(given)

    @cached_property
    def stride(self) -> Pair | None:
        """Strides along height and width."""
        return self._windowed("strides")

    @cached_property
    def dilation(self) -> Pair | None:
        """Dilations along height and width."""
        return self._windowed("dilations")

    def _windowed(self, name: str) -> Pair | None:
        given = self.emitted.attrs.get(name)
        if given is not None:
            return _pair(given)
        return None if self.kernel is None else (1, 1)

    @cached_property
    def padding(self) -> str | None:
        """`SAME`, `VALID` or `EXPLICIT`."""
        auto = str(self.emitted.attrs.get("auto_pad", "NOTSET"))
        if auto != "NOTSET":
            return "SAME" if auto.startswith("SAME") else auto
        pads = self.pads
        if pads is None:
            return None
        return "EXPLICIT" if any(pads) else "VALID"

    @cached_property
    def pads(self) -> tuple[int, int, int, int] | None:
        """Padding on top, left, bottom, right; not known for the automatic forms."""
        if (
            str(self.emitted.attrs.get("auto_pad", "NOTSET")) not in ("NOTSET", "VALID")
            or self.kernel is None
        ):
            return None
        given = tuple(int(p) for p in self.emitted.attrs.get("pads") or (0, 0, 0, 0))
        if len(given) == 2:
            return 0, given[0], 0, given[1]
        return (given[0], given[1], given[2], given[3]) if len(given) == 4 else None

    @property
    def groups(self) -> int | None:
        """Groups of a convolution."""
        return int(self.emitted.attrs.get("group", 1)) if self.name in ("Conv", "ConvTranspose") else None

    @cached_property
    def axes(self) -> tuple[int, ...] | None:
        """The axes that the op works along."""
        value = self.ofm if self.name == "Unsqueeze" else self.ifm
        if value is None:
            return None
        if "axes" in self.PARAMETERS.get(self.name, {}).values():
            given = self.ints("axes")
            if given is None and "axes" not in self.roles and self.name.startswith("Reduce"):
                given = () if self.emitted.attrs.get("noop_with_empty_axes") else tuple(range(value.rank))
        else:
            axis: Any = self.emitted.attrs.get("axis", _AXIS_DEFAULT.get(self.name))
            given = None if axis is None else (int(axis),)
        return None if given is None else from_end(given, value.rank)


def _pair(given: Any) -> Pair | None:
    if given is None or None in tuple(given):
        return None
    sizes = tuple(int(v) for v in given)
    if len(sizes) == 1:
        return 1, sizes[0]
    return (sizes[0], sizes[1]) if len(sizes) == 2 else None
