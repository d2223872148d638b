"""Products of quantised tensors: exact sums of integer products, then scaled where the op says so."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.exact_sum import exact_sum
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.ops.convolution import convolve
from edgekit.lowering.tflite.ops.matmul import product
from edgekit.lowering.tflite.requantize import saturated
from edgekit.lowering.tflite.table import lowers


@lowers("MatMulInteger", since=10)
def matmul_integer(b: TFLiteBuilder, n: Op) -> Value:
    """MatMulInteger -> float32 matrix products of integers small enough to be summed exactly."""
    return _matmul(b, n, x=(0, 2), w=(1, 3)).value


@lowers("QLinearMatMul", since=21)
def qlinear_matmul(b: TFLiteBuilder, n: Op) -> Value:
    """QLinearMatMul -> as MatMulInteger, then scaled, rounded half to even and saturated."""
    sums = _matmul(b, n, x=(0, 2), w=(3, 5)).cast(np.float32)
    scale = _per_row(_real(b, n, 1)) * _real(b, n, 4) / _real(b, n, 6)
    return saturated(sums * scale, _real(b, n, 7), n.out().dtype).value


@lowers("ConvInteger", since=10)
def conv_integer(b: TFLiteBuilder, n: Op) -> Value:
    """ConvInteger -> float32 convolutions of integers small enough to be summed exactly."""
    return _conv(b, n, x=(0, 2), w=(1, 3)).value


@lowers("QLinearConv", since=10)
def qlinear_conv(b: TFLiteBuilder, n: Op) -> Value:
    """QLinearConv -> as ConvInteger, plus the bias, then scaled, rounded half to even and saturated."""
    sums = _conv(b, n, x=(0, 2), w=(3, 5))
    axes = len(sums.shape) - 1
    if n.input(8) is not None:
        sums = sums + _per_channel(Term(b, n.operand(8)), axes)
    scale = _real(b, n, 1) * _per_channel(_real(b, n, 4), axes) / _real(b, n, 6)
    return saturated(sums.cast(np.float32) * scale, _real(b, n, 7), n.out().dtype).value


def _matmul(b: TFLiteBuilder, n: Op, x: tuple[int, int], w: tuple[int, int]) -> Term:
    """Sums the products of matrices given as (input, zero point) by their positions."""
    left, right = _real(b, n, x[0]), _real(b, n, w[0])
    terms = left.shape[-1] or right.shape[0 if len(right.shape) == 1 else -2]
    if terms is None:
        n.refuse("the number of products is known only at run time", code="EK305")
    if n.input(x[1]) is not None:
        left = left - _per_row(_real(b, n, x[1]))
    if n.input(w[1]) is not None:
        right = right - _real(b, n, w[1])
    return exact_sum(left, right, terms, lambda p, q: Term(b, product(b, p.value, q.value)))


def _conv(b: TFLiteBuilder, n: Op, x: tuple[int, int], w: tuple[int, int]) -> Term:
    """Sums the products of a convolution given as (input, zero point) by their positions."""
    signal, kernel = _real(b, n, x[0]), _real(b, n, w[0])
    shape = kernel.value.static_shape
    if shape is None:
        n.refuse("the shape of the weights is known only at run time", code="EK305")
    if n.input(x[1]) is not None:
        signal = signal - _real(b, n, x[1])
    if n.input(w[1]) is not None:
        kernel = kernel - _per_channel(_real(b, n, w[1]), kernel.value.rank)
    terms = math.prod(shape[1:])
    return exact_sum(signal, kernel, terms, lambda p, q: Term(b, convolve(b, n, p.value, q.value, None)))


def _real(b: TFLiteBuilder, n: Op, index: int) -> Term:
    """Casts an operand to float32; one element becomes a scalar."""
    value = Term(b, n.operand(index)).cast(np.float32)
    return value.reshape(()) if value.value.static_shape == (1,) else value


def _per_row(parameter: Term) -> Term:
    """A parameter with an element for each row of the left matrix."""
    return parameter.reshape((parameter.shape[0], 1)) if len(parameter.shape) == 1 else parameter


def _per_channel(parameter: Term, rank: int) -> Term:
    """A parameter with an element for each output channel, followed by `rank - 1` other axes."""
    if len(parameter.shape) != 1:
        return parameter
    return parameter.reshape((parameter.shape[0], *(1 for _ in range(rank - 1))))
