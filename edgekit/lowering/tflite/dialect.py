"""The TFLite dialect: each builtin op that we emit, its options table and its result.

One row per op. `infer` gives dtype and shape of the results from the operands, as LiteRT's own
`Prepare` would; an op without `infer` needs its result spelled out by the lowering. `version` is
the operator version that says "this form of the op", as in TensorFlow's `op_version.cc`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.lowering.ledger import Shape, Value

Spec = tuple[np.dtype[Any], Shape]
Infer = Callable[[Sequence[Value | None], Mapping[str, Any]], list[Spec]]
Version = Callable[[Sequence[Value | None], Mapping[str, Any]], int]


def _first(_: Sequence[Value | None], __: Mapping[str, Any]) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class TFLiteOp:
    """One row of the dialect.

    Attributes:
        name: TFLite's name of the builtin operator.
        options: Name of its options table in the schema, without `T`; `None` if it has none.
        infer: Results from operands, where that is a function of dtypes and shapes alone.
        version: Operator version for given operands and options.
    """

    name: str
    options: str | None
    infer: Infer | None = None
    version: Version = _first

    def version_of(self, inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> int:
        """Returns the operator version; quantised kernels came later than those for floats."""
        version = self.version(inputs, attrs)
        if not any(v is not None and v.quant is not None and v.dtype == np.int8 for v in inputs):
            return version
        return max(version, _INT8_VERSIONS.get(self.name, 1))


_INT8_VERSIONS = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), 3),
    **dict.fromkeys(
        ("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "DEPTH_TO_SPACE", "DEQUANTIZE", "GATHER", "LOGISTIC",
         "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PAD", "PADV2", "QUANTIZE", "RESIZE_BILINEAR",
         "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "STRIDED_SLICE", "SUB",
         "TANH", "TRANSPOSE"),
        2,
    ),
    "SOFTMAX": 2,
    "LEAKY_RELU": 2,
    "FULLY_CONNECTED": 4,
}  # fmt: skip
"""First version of an op that takes int8 tensors."""


DIALECT: dict[str, TFLiteOp] = {}


def declare(
    *names: str, options: str | None = None, infer: Infer | None = None, version: Version | int = 1
) -> None:
    """Adds rows to the dialect.

    Args:
        names: Builtin operators that share options, inference and versions.
        options: Their options table.
        infer: Their result inference.
        version: Their operator version, fixed or from operands and options.
    """
    fixed: Version = (lambda _, __: version) if isinstance(version, int) else version
    for name in names:
        if name in DIALECT:
            raise ValueError(f"`{name}` is declared twice")
        DIALECT[name] = TFLiteOp(name, options, infer, fixed)


def broadcast(*shapes: Shape) -> Shape:
    """Returns the broadcast shape (numpy rules); a size known only at run time stays `None`.

    Raises:
        ValueError: If two known sizes contradict each other.
    """
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return tuple(_broadcast_dim(dims) for dims in zip(*padded, strict=True))


def _broadcast_dim(dims: Sequence[int | None]) -> int | None:
    wide = {d for d in dims if d is not None and d != 1}
    if len(wide) > 1:
        raise ValueError(f"sizes {sorted(wide)} do not broadcast")
    if wide:
        return wide.pop()
    return None if None in dims else 1


def same_as_first(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    """Result like the first operand."""
    first = inputs[0]
    assert first is not None
    return [(first.dtype, first.shape)]


def elementwise(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    """Result of the operands' dtype and broadcast shape."""
    values = [v for v in inputs if v is not None]
    return [(values[0].dtype, broadcast(*(v.shape for v in values)))]


def same_shapes(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    """Result like the operands, which must have one shape: the kernel reads beyond a shorter one."""
    values = [v for v in inputs if v is not None]
    if len({v.shape for v in values}) > 1:
        raise ValueError(f"operands of shapes {[v.shape for v in values]} must be broadcast before")
    return [(values[0].dtype, values[0].shape)]


def comparison(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    """Boolean result of the broadcast shape."""
    return [(np.dtype(bool), elementwise(inputs, attrs)[0][1])]


def _select(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    condition, yes, no = (v for v in inputs if v is not None)
    return [(yes.dtype, broadcast(condition.shape, yes.shape, no.shape))]


def _transpose(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    x, perm = inputs
    assert x is not None
    assert perm is not None
    assert perm.data is not None
    return [(x.dtype, tuple(x.shape[int(p)] for p in perm.data))]


def _concatenation(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    values = [v for v in inputs if v is not None]
    axis = int(attrs["axis"]) % values[0].rank
    sizes = [v.shape[axis] for v in values]
    total = None if None in sizes else sum(s for s in sizes if s is not None)
    merged = [_same([v.shape[i] for v in values]) for i in range(values[0].rank)]
    merged[axis] = total
    return [(values[0].dtype, tuple(merged))]


def _same(sizes: Sequence[int | None]) -> int | None:
    return next((s for s in sizes if s is not None), None)


def conv_size(size: int | None, kernel: int, stride: int, dilation: int, padding: str) -> int | None:
    """Output size along one axis (TensorFlow's SAME and VALID rules)."""
    if size is None:
        return None
    if padding == "SAME":
        return -(-size // stride)
    return -(-(size - (kernel - 1) * dilation) // stride)


def _conv2d(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    x, w = inputs[0], inputs[1]
    assert x is not None
    assert w is not None
    n, h, wd, _ = x.shape
    out_c, kh, kw, _ = w.shape
    assert kh is not None
    assert kw is not None
    pad = attrs["padding"]
    oh = conv_size(h, kh, attrs["stride_h"], attrs.get("dilation_h_factor", 1), pad)
    ow = conv_size(wd, kw, attrs["stride_w"], attrs.get("dilation_w_factor", 1), pad)
    return [(x.dtype, (n, oh, ow, out_c))]


def _depthwise(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    w = inputs[1]
    assert w is not None
    ((dtype, shape),) = _conv2d(inputs, attrs)
    return [(dtype, (*shape[:3], w.shape[3]))]


def _conv3d(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    x, w = inputs[0], inputs[1]
    assert x is not None
    assert w is not None
    sizes = [
        conv_size(size, kernel or 1, attrs[f"stride_{a}"], attrs[f"dilation_{a}_factor"], attrs["padding"])
        for a, size, kernel in zip("dhw", x.shape[1:4], w.shape[:3], strict=True)
    ]
    return [(x.dtype, (x.shape[0], *sizes, w.shape[4]))]


def _pool2d(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    x = inputs[0]
    assert x is not None
    n, h, w, c = x.shape
    pad = attrs["padding"]
    oh = conv_size(h, attrs["filter_height"], attrs["stride_h"], 1, pad)
    ow = conv_size(w, attrs["filter_width"], attrs["stride_w"], 1, pad)
    return [(x.dtype, (n, oh, ow, c))]


def _pad(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    x, pads = inputs[0], inputs[1]
    assert x is not None
    assert pads is not None
    if pads.data is None:
        return [(x.dtype, (None,) * x.rank)]
    return [
        (
            x.dtype,
            tuple(None if d is None else d + int(p.sum()) for d, p in zip(x.shape, pads.data, strict=True)),
        )
    ]


def _reduce(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    x, axes = inputs
    assert x is not None
    assert axes is not None
    assert axes.data is not None
    reduced = {int(a) % x.rank for a in axes.data.reshape(-1)}
    if attrs.get("keep_dims"):
        return [(x.dtype, tuple(1 if i in reduced else d for i, d in enumerate(x.shape)))]
    return [(x.dtype, tuple(d for i, d in enumerate(x.shape) if i not in reduced))]


def _shape(inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> list[Spec]:
    x = inputs[0]
    assert x is not None
    return [(np.dtype(attrs["out_type"]), (x.rank,))]


declare("ABS", "NEG", "SQUARE", "CEIL", "FLOOR", "ROUND", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS",
        "TANH", "LOGISTIC", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ELU", "HARD_SWISH",
        "LOG_SOFTMAX", "LOGICAL_NOT", "ZEROS_LIKE", "SIGN", infer=same_as_first)  # fmt: skip
declare("GELU", options="GeluOptions", infer=same_as_first)
declare("LEAKY_RELU", options="LeakyReluOptions", infer=same_as_first)
declare("SOFTMAX", options="SoftmaxOptions", infer=same_as_first)
declare("CUMSUM", options="CumsumOptions", infer=same_as_first)
declare("REVERSE_V2", infer=same_as_first)
declare("ADD", options="AddOptions", infer=elementwise)
declare("SUB", options="SubOptions", infer=elementwise)
declare("MUL", options="MulOptions", infer=elementwise)
declare("DIV", options="DivOptions", infer=elementwise)
declare("POW", "FLOOR_DIV", "FLOOR_MOD", "SQUARED_DIFFERENCE", "LOGICAL_AND", "LOGICAL_OR",
        "BITWISE_XOR", "RIGHT_SHIFT", "PRELU", infer=elementwise)  # fmt: skip
declare("ATAN2", infer=same_shapes)
declare("MAXIMUM", "MINIMUM", options="MaximumMinimumOptions", infer=elementwise)
declare("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", infer=comparison)
declare("SELECT_V2", infer=_select)
declare("TRANSPOSE", infer=_transpose)
declare("RESHAPE", options="ReshapeOptions")
declare("CAST", options="CastOptions")
declare("CONCATENATION", options="ConcatenationOptions", infer=_concatenation)
declare("CONV_2D", options="Conv2DOptions", infer=_conv2d)
declare("DEPTHWISE_CONV_2D", options="DepthwiseConv2DOptions", infer=_depthwise, version=2)
declare("TRANSPOSE_CONV", options="TransposeConvOptions", version=3)
declare("CONV_3D_TRANSPOSE", options="Conv3DOptions", version=2)
declare("CONV_3D", options="Conv3DOptions", infer=_conv3d)
declare("AVERAGE_POOL_2D", "MAX_POOL_2D", options="Pool2DOptions", infer=_pool2d)
declare("RESIZE_BILINEAR", options="ResizeBilinearOptions", version=3)
declare("RESIZE_NEAREST_NEIGHBOR", options="ResizeNearestNeighborOptions", version=3)
declare("DEPTH_TO_SPACE", options="DepthToSpaceOptions")
declare("SPACE_TO_DEPTH", options="SpaceToDepthOptions")
declare("PAD", "PADV2", infer=_pad)
declare("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL",
        options="ReducerOptions", infer=_reduce)  # fmt: skip
declare("SHAPE", options="ShapeOptions", infer=_shape)
declare("FULLY_CONNECTED", options="FullyConnectedOptions", version=2)
declare("BATCH_MATMUL", options="BatchMatMulOptions")
declare("GATHER", options="GatherOptions")
declare("PACK", options="PackOptions")
declare("UNPACK", options="UnpackOptions")
declare("SPLIT", options="SplitOptions")
declare("SPLIT_V", options="SplitVOptions")
declare("STRIDED_SLICE", options="StridedSliceOptions")
declare("SLICE", "TILE", "FILL", "RANGE", "GATHER_ND", "SCATTER_ND", "WHERE",
        "BROADCAST_ARGS", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "TOPK_V2", "RANK",
        "DYNAMIC_UPDATE_SLICE", "DILATE",
        "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "BITCAST")  # fmt: skip
declare("BROADCAST_TO", version=3)
declare("UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_SUM")
declare("STABLEHLO_ADD", "STABLEHLO_MULTIPLY", "STABLEHLO_AND")
declare("BUCKETIZE", options="BucketizeOptions")
declare("REVERSE_SEQUENCE", options="ReverseSequenceOptions", infer=same_as_first)
declare("ARG_MAX", options="ArgMaxOptions")
declare("ONE_HOT", options="OneHotOptions")
declare("ARG_MIN", options="ArgMinOptions")
declare("MIRROR_PAD", options="MirrorPadOptions")
declare("QUANTIZE", "DEQUANTIZE")
declare("SQUEEZE", options="SqueezeOptions")
declare("EXPAND_DIMS", options="ExpandDimsOptions")
declare("IF", options="IfOptions")
declare("WHILE", options="WhileOptions")
