"""Ops whose operands and results each have a scale and a zero point beside them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute, constant, operand, rank_of
from edgekit.passes.qoperator.table import (
    Stays,
    check,
    check_single,
    codes,
    kept,
    parameter,
    real,
    unfolds,
)

_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")


@unfolds("QLinearConv", domain="")
@unfolds("QLinearConv")
def conv(maker: Maker) -> None:
    """QLinearConv: weights with a scale per output channel, a bias in units of both scales."""
    check_single(maker, 1, 2, 6, 7)
    check(maker, 4, 5)
    if attribute(maker.node, "channels_last", 0):
        raise Stays
    bias = operand(maker.node, 8)
    x, w = real(maker, 0), real(maker, 3, 0)
    addend = None if bias is None else _bias(maker, bias, parameter(maker, 1) * parameter(maker, 4))
    y = maker.op("Conv", x, w, addend, **kept(maker, *_WINDOW))
    maker.replace(codes(maker, y, 6))


def _bias(maker: Maker, bias: ir.Value, scale: np.ndarray) -> ir.Value:
    scales = maker.const(np.asarray(scale, np.float32), hint="bias_scale")
    return maker.op("DequantizeLinear", bias, scales, axis=0 if scale.ndim else None)


@unfolds("QLinearMatMul", domain="")
def matmul(maker: Maker) -> None:
    """QLinearMatMul: the right operand may have a scale per column."""
    check_single(maker, 1, 2, 6, 7)
    check(maker, 4, 5)
    rank = rank_of(operand(maker.node, 3))
    if parameter(maker, 4).ndim and (rank is None or rank < 2):
        raise Stays
    y = maker.op("MatMul", real(maker, 0), real(maker, 3, None if rank is None else rank - 1))
    maker.replace(codes(maker, y, 6))


@unfolds("QGemm")
def gemm(maker: Maker) -> None:
    """QGemm: the bias is int32 in units of both scales; without a scale of its own the result is real."""
    check_single(maker, 1, 2, 7, 8)
    check(maker, 4, 5)
    bias, transposed = operand(maker.node, 6), bool(attribute(maker.node, "transB", 0))
    alpha = np.float32(attribute(maker.node, "alpha", 1.0))
    unit = alpha * parameter(maker, 1) * parameter(maker, 4)
    x, w = real(maker, 0), real(maker, 3, 0 if transposed else 1)
    addend = None if bias is None else _bias(maker, bias, np.asarray(unit))
    y = maker.op("Gemm", x, w, addend, **kept(maker, "alpha", "transA", "transB"))
    maker.replace(y if operand(maker.node, 7) is None else codes(maker, y, 7))


@unfolds("QLinearAdd", "QLinearMul")
def binary(maker: Maker) -> None:
    """QLinearAdd, QLinearMul: operands that broadcast."""
    check_single(maker, 1, 2, 4, 5, 6, 7)
    kind = maker.node.op_type.removeprefix("QLinear")
    maker.replace(codes(maker, maker.op(kind, real(maker, 0), real(maker, 3)), 6))


@unfolds("QLinearSigmoid", "QLinearLeakyRelu")
def function(maker: Maker) -> None:
    """QLinearSigmoid, QLinearLeakyRelu."""
    check_single(maker, 1, 2, 3, 4)
    kind = maker.node.op_type.removeprefix("QLinear")
    maker.replace(codes(maker, maker.op(kind, real(maker, 0), **kept(maker, "alpha")), 3))


@unfolds("QLinearSoftmax")
def softmax(maker: Maker) -> None:
    """QLinearSoftmax: the meaning of its axis is that of the opset that it names."""
    check_single(maker, 1, 2, 3, 4)
    y = maker.op("Softmax", real(maker, 0), **kept(maker, "axis"))
    maker.made[-1].version = int(attribute(maker.node, "opset", 13))
    maker.replace(codes(maker, y, 3))


@unfolds("QLinearAveragePool")
def average_pool(maker: Maker) -> None:
    """QLinearAveragePool."""
    _check_pool(maker)
    maker.replace(codes(maker, maker.op("AveragePool", real(maker, 0), **kept(maker, *_POOL)), 3))


@unfolds("QLinearGlobalAveragePool")
def global_average_pool(maker: Maker) -> None:
    """QLinearGlobalAveragePool."""
    _check_pool(maker)
    maker.replace(codes(maker, maker.op("GlobalAveragePool", real(maker, 0)), 3))


def _check_pool(maker: Maker) -> None:
    check_single(maker, 1, 2, 3, 4)
    if attribute(maker.node, "channels_last", 0):
        raise Stays


@unfolds("QLinearReduceMean")
def reduce_mean(maker: Maker) -> None:
    """QLinearReduceMean."""
    check_single(maker, 1, 2, 3, 4)
    axes = attribute(maker.node, "axes")
    where = None if axes is None else maker.ints(axes, "axes")
    y = maker.op("ReduceMean", real(maker, 0), where, **kept(maker, "keepdims"))
    maker.replace(codes(maker, y, 3))


@unfolds("QLinearConcat")
def concat(maker: Maker) -> None:
    """QLinearConcat: the result's scale and zero point, then three inputs for each part."""
    parts = range(2, len(maker.node.inputs), 3)
    check_single(maker, 0, 1, *(i + k for i in parts for k in (1, 2)))
    y = maker.op("Concat", *(real(maker, i) for i in parts), **kept(maker, "axis"))
    maker.replace(codes(maker, y, 0))


@unfolds("QLinearWhere")
def where(maker: Maker) -> None:
    """QLinearWhere: the condition, then two operands."""
    check_single(maker, 2, 3, 5, 6, 7, 8)
    y = maker.op("Where", operand(maker.node, 0), real(maker, 1), real(maker, 4))
    maker.replace(codes(maker, y, 7))


@unfolds("QuantizeLinear", "DequantizeLinear")
def linear(maker: Maker) -> None:
    """QuantizeLinear and DequantizeLinear of ONNX Runtime's domain, which had 16 bits first."""
    check(maker, 1, 2)
    if constant(operand(maker.node, 1)) is None or attribute(maker.node, "block_size", 0):
        raise Stays
    axis = attribute(maker.node, "axis", 1) if parameter(maker, 1).ndim else None
    maker.replace(maker.op(maker.node.op_type, *maker.node.inputs, axis=axis))
