"""The facts of TFLite ops; options have the schema's names, in ledgers as in files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from edgekit.compat.facts.base import Facts, Pair, from_end

_ROLES: Mapping[str, Mapping[int, str]] = {
    name: roles
    for names, roles in (
        ("CONV_2D DEPTHWISE_CONV_2D CONV_3D FULLY_CONNECTED", {1: "weights", 2: "bias"}),
        ("TRANSPOSE_CONV CONV_3D_TRANSPOSE", {0: "output_shape", 1: "weights", 3: "bias"}),
        ("MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL", {1: "axes"}),
        ("ARG_MAX ARG_MIN EXPAND_DIMS CUMSUM REVERSE_V2", {1: "axes"}),
        ("PAD MIRROR_PAD", {1: "paddings"}),
        ("PADV2", {1: "paddings", 2: "value"}),
        ("RESHAPE BROADCAST_TO", {1: "shape"}),
        ("RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR", {1: "size"}),
        ("TRANSPOSE", {1: "perm"}),
        ("SLICE", {1: "begin", 2: "size"}),
        ("STRIDED_SLICE", {1: "begin", 2: "end", 3: "strides"}),
        ("SPLIT", {0: "axes"}),
        ("SPLIT_V", {1: "sizes", 2: "axes"}),
        ("TILE", {1: "multiples"}),
        ("GATHER GATHER_ND", {1: "indices"}),
        ("SCATTER_ND", {0: "indices", 2: "shape"}),
        ("PRELU", {1: "alpha"}),
        ("TOPK_V2", {1: "k"}),
        ("SPACE_TO_BATCH_ND", {1: "block", 2: "paddings"}),
        ("BATCH_TO_SPACE_ND", {1: "block", 2: "crops"}),
        ("SCATTER_ND", {2: "shape"}),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", {i: f"operand_{i}" for i in range(1, 24)}),
    )
    for name in names.split()
}
"""The operands that are no feature maps."""


_WINDOWED = frozenset(
    (
        *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "CONV_3D_TRANSPOSE"),
        *("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"),
    )
)
_ALONG_AXES = frozenset(
    (
        *(name for name, roles in _ROLES.items() if "axes" in roles.values()),
        *("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION"),
        *("CONCATENATION", "PACK", "UNPACK", "GATHER", "ONE_HOT"),
    )
)


class TFLiteFacts(Facts):
    """What a TFLite op is."""

    PARAMETERS = _ROLES
    WINDOWED = _WINDOWED
    ALONG_AXES = _ALONG_AXES

    @cached_property
    def kernel(self) -> Pair | None:
        """Height and width of the window."""
        attrs = self.emitted.attrs
        if "filter_height" in attrs:
            return int(attrs["filter_height"]), int(attrs["filter_width"])
        weights = self.roles.get("weights")
        if weights is None or weights.rank != 4:
            return None
        height, width = weights.shape[1], weights.shape[2]
        return None if height is None or width is None else (height, width)

    @cached_property
    def stride(self) -> Pair | None:
        """Strides along height and width."""
        return self._pair("stride_h", "stride_w")

    @cached_property
    def dilation(self) -> Pair | None:
        """Dilations along height and width; 1 for windows that have none."""
        return self._pair("dilation_h_factor", "dilation_w_factor") or ((1, 1) if self.kernel else None)

    def _pair(self, height: str, width: str) -> Pair | None:
        attrs = self.emitted.attrs
        return (int(attrs[height]), int(attrs[width])) if height in attrs and width in attrs else None

    @property
    def padding(self) -> str | None:
        """`SAME` or `VALID`."""
        return self.emitted.attrs.get("padding")

    @cached_property
    def pads(self) -> tuple[int, int, int, int] | None:
        """Padding on top, left, bottom, right: what the mode comes to for this size of input."""
        ifm, kernel, stride, dilation = self.ifm, self.kernel, self.stride, self.dilation
        if self.padding == "VALID":
            return 0, 0, 0, 0
        if ifm is None or self.name == "TRANSPOSE_CONV":
            return None
        if kernel is None or stride is None or dilation is None:
            return None
        sizes = self.size(ifm, "H"), self.size(ifm, "W")
        totals = []
        for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            if size is None or s < 1:
                return None
            totals.append(max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size))
        (top, left), (bottom, right) = (t // 2 for t in totals), (-(-t // 2) for t in totals)
        return top, left, bottom, right

    @cached_property
    def groups(self) -> int | None:
        """Groups of a convolution: channels in over channels of the weights."""
        ifm, weights = self.ifm, self.roles.get("weights")
        if ifm is None or weights is None or weights.rank != 4 or ifm.rank != 4:
            return None
        channels = ifm.shape[3]
        if self.name == "DEPTHWISE_CONV_2D":
            return channels
        per_group = weights.shape[3]
        return channels // per_group if channels and per_group else None

    @property
    def activation(self) -> str | None:
        """The fused activation."""
        return str(self.emitted.attrs.get("fused_activation_function") or "NONE")

    @cached_property
    def axes(self) -> tuple[int, ...] | None:
        """The axes that the op works along."""
        value = self.ofm if self.name in ("EXPAND_DIMS", "PACK") else self.ifm
        if value is None:
            return None
        if self.name in ("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION"):
            return (value.rank - 1,)
        given = self.ints("axes")
        if given is None and self.emitted.attrs.get("axis") is not None:
            given = (int(self.emitted.attrs["axis"]),)
        return None if given is None else from_end(given, value.rank)
