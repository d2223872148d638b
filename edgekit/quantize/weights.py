"""The integers of constant weights, and of the bias that is added in their units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.quantize.arithmetic import (
    Affine,
    Array,
    affine,
    block_codes,
    block_scales,
    codes,
    symmetric_codes,
    symmetric_scales,
    usable,
)
from edgekit.quantize.roles import Weights
from edgekit.quantize.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Stored:
    """A constant as DequantizeLinear takes it.

    Attributes:
        codes: The integers.
        scale: float32: a scalar, one per index of `axis`, or one per block along it.
        zero: Zero points in the dtype of the codes; `None` for int32, which has none.
        axis: The axis of the scales; `None` for a scalar.
        block: Elements per block; 0 without blocks.
    """

    codes: Array
    scale: Array
    zero: Array | None
    axis: int | None = None
    block: int = 0


def stored_constant(data: Array, quant: Affine) -> Stored:
    """Quantises a constant operand like an activation."""
    return Stored(codes(data, quant), np.asarray(quant.scale), quant.zero_point)


def stored_weights(data: Array, place: Weights, scheme: Scheme, at_least: Array | float = 0.0) -> Stored:
    """Quantises weights.

    Args:
        data: Finite floats.
        place: Where their axes are.
        scheme: Says which integers, and whether in channels or blocks.
        at_least: Scales that they must reach, one per output channel or one in all.
    """
    wanted, power = scheme.weights, scheme.numerics.power_of_two
    assert wanted is not None
    if not wanted.symmetric:
        quant = affine(min(float(data.min()), 0.0), max(float(data.max()), 0.0), wanted, power_of_two=power)
        wider = np.maximum(quant.scale, np.max(at_least)).astype(np.float32)
        return stored_constant(data, Affine(np.float32(usable(wider, power)), quant.zero, wanted))
    if wanted.block and place.summed is not None:
        scales = usable(block_scales(data, place.summed, wanted), power)
        held = block_codes(data, scales, place.summed, wanted)
        return Stored(held, scales, _zeros(scales, scheme), place.summed, wanted.block)
    axis = place.axis if wanted.per_channel else None
    floor = np.asarray(at_least if axis is not None else np.max(at_least))
    scales = usable(np.maximum(symmetric_scales(data, axis, wanted), floor), power)
    return Stored(symmetric_codes(data, scales, axis, wanted), scales, _zeros(scales, scheme), axis)


def _zeros(scales: Array, scheme: Scheme) -> Array:
    assert scheme.weights is not None
    return np.full(scales.shape, scheme.weights.middle).astype(scheme.weights.numpy)


def scales_for_bias(bias: Array, x: Affine, scheme: Scheme) -> Array:
    """Returns the scales that weights need so that a bias fits into int32 in units of `s_x * s_w`.

    Args:
        bias: Any shape; its elements are output channels.
        x: The quantisation of the operand.
        scheme: Holds the limit.

    Returns:
        float32, one per output channel.
    """
    needed = np.abs(bias.reshape(-1)).astype(np.float64) / (float(x.scale) * scheme.numerics.bias_limit)
    return needed.astype(np.float32)


def stored_bias(bias: Array, x: Affine, weights: Stored) -> Stored:
    """Quantises a bias to int32 in units of `s_x * s_w`.

    Args:
        bias: One element per output channel along its last axis.
        x: The quantisation of the operand.
        weights: The quantised weights.
    """
    scales = np.asarray(weights.scale * x.scale, np.float32)
    whole = np.rint(bias.astype(np.float64) / scales.astype(np.float64))
    limits = np.iinfo(np.int32)
    held = np.clip(whole, limits.min, limits.max).astype(np.int32)
    axis = bias.ndim - 1 if scales.size > 1 else None
    return Stored(held, scales if axis is not None else scales.reshape(()), None, axis)
