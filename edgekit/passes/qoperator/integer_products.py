"""Products of integers that are scaled afterwards: ConvInteger or MatMulInteger, Cast, Mul.

Where the left operand was quantised with a constant scale, the factor of Mul is that scale times the scale
of the weights: the three are one op on reals.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.passes.edit import Maker, attribute, constant, only_consumer, operand, producer, rank_of
from edgekit.passes.qoperator.table import Stays, check, check_single, kept, unfolds

_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


@unfolds("MatMulInteger", "ConvInteger", domain="")
def product(maker: Maker) -> None:
    """MatMulInteger or ConvInteger of codes that QuantizeLinear made, Cast, Mul by a constant."""
    node = maker.node
    check_single(maker, 2)
    check(maker, 3)
    scale = _scale_of(node)
    cast = _reader(node, "Cast")
    mul = _reader(cast, "Mul")
    if attribute(cast, "to") != int(ir.DataType.FLOAT):
        raise Stays
    factor = next((f for f in map(constant, mul.inputs) if f is not None), None)
    if factor is None or factor.dtype != np.float32 or not (factor > 0).all():
        raise Stays
    axis = _axis(node, factor)
    whole = Maker(mul, node, cast)
    y = _on_reals(whole, node, scale, factor.reshape(-1) if axis is not None else factor.reshape(()), axis)
    whole.replace(y)
    maker.made += whole.made
    for gone in (cast, node):
        assert gone.graph is not None
        gone.graph.remove(gone, safe=True)


def _on_reals(
    maker: Maker, node: ir.Node, scale: np.float32, factor: NDArray[np.float32], axis: int | None
) -> ir.Value:
    def dequantised(index: int, unit: NDArray[np.float32], along: int | None) -> ir.Value:
        held = [maker.const(unit, hint="scale")]
        zero = constant(operand(node, index + 2))
        if zero is not None:
            zero = zero.reshape(()) if zero.size == 1 else zero
            held.append(maker.const(np.broadcast_to(zero, unit.shape), hint="zero_point"))
        return maker.op("DequantizeLinear", node.inputs[index], *held, axis=along)

    x = dequantised(0, np.asarray(scale), None)
    w = dequantised(1, np.asarray(factor / scale, np.float32), axis)
    if node.op_type == "MatMulInteger":
        return maker.op("MatMul", x, w)
    return maker.op("Conv", x, w, **kept(Maker(node), *_WINDOW))


def _scale_of(node: ir.Node) -> np.float32:
    """Returns the scale that the left operand was quantised with, for the same zero point.

    Raises:
        Stays: If it was not, or not with one constant scale.
    """
    quantize = producer(node.inputs[0], "QuantizeLinear")
    scale = None if quantize is None else constant(quantize.inputs[1])
    if quantize is None or scale is None or scale.size != 1 or scale.dtype != np.float32:
        raise Stays
    zeros = [constant(operand(n, 2)) for n in (node, quantize)]
    own, made = (0 if zero is None else int(zero.reshape(-1)[0]) for zero in zeros)
    if own != made:
        raise Stays
    return np.float32(scale.reshape(()))


def _reader(node: ir.Node, kind: str) -> ir.Node:
    reader = only_consumer(node.outputs[0])
    if reader is None or reader.op_type != kind or reader.domain:
        raise Stays
    return reader


def _axis(node: ir.Node, factor: NDArray[np.float32]) -> int | None:
    """Returns the axis of the weights that a factor with an element per output lies along.

    Raises:
        Stays: If it lies along another axis of the result.
    """
    zero = constant(operand(node, 3))
    if factor.size == 1 and (zero is None or zero.size == 1):
        return None
    rank = rank_of(node.inputs[1])
    weights = constant(node.inputs[1])
    if weights is None or rank is None:
        raise Stays
    channel = rank - 1 if node.op_type == "MatMulInteger" else 0
    place = factor.ndim - 1 if node.op_type == "MatMulInteger" else factor.ndim - (rank - 1)
    if factor.size != weights.shape[channel] or place < 0 or factor.shape[place] != factor.size:
        raise Stays
    return channel
