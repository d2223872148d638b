"""Bias correction: what rounding the weights adds to the mean of a layer's result is taken off its bias.

With rounded weights W + D a layer gives `(W + D) x + b`; its mean is off by D times the mean of x (the same
for a convolution, with the mean over positions as well). That is known exactly once the mean of the input is,
so one run of the float model over the calibration samples is enough for all layers. M. Nagel, M. van Baalen,
T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV
2019, derive that mean from batch normalisation; here it is measured, border effects of padding included,
because it is taken for each position of the input.

What rounding and cutting of activations add is not corrected: rounding has no mean to first order.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import attribute, constant, operand
from edgekit.passes.report import PassReport
from edgekit.quantize.arithmetic import Array
from edgekit.quantize.constants import replace_constant
from edgekit.quantize.pairs import channels_of, input_axis
from edgekit.quantize.roles import Role, role_of, weights_of

NAME = "correct-bias"
_LAYERS = ("Conv", "Gemm")


def watched(graph: ir.Graph) -> list[str]:
    """Returns the tensors whose means are needed."""
    return [v.name for n in _layers(graph) if (v := n.inputs[0]) is not None and v.name]


def call(model: ir.Model, quantised: ir.Model, means: Mapping[str, Array]) -> PassReport:
    """Corrects the biases of a float model for the weights that its quantised form has.

    Args:
        model: A prepared float model, changed in place.
        quantised: The QDQ model made of it, with the same names of nodes.
        means: The mean over samples of each tensor of `watched`, with a leading axis of size 1.

    Returns:
        How many layers were corrected.
    """
    rounded = {n.name: n for n in quantised.graph if n.name}
    count = 0
    for node in _layers(model.graph):
        twin, x = rounded.get(node.name or ""), node.inputs[0]
        weights = constant(operand(node, 1))
        kept = None if twin is None else dequantised(operand(twin, 1))
        mean = means.get(x.name or "") if x is not None else None
        if weights is None or kept is None or mean is None or kept.shape != weights.shape:
            continue
        shift = mean_of_result(node, np.asarray(mean, np.float64), kept.astype(np.float64) - weights)
        bias = constant(operand(node, 2))
        channels = channels_of(node)
        assert channels is not None
        replace_constant(node, 2, (np.zeros(channels) if bias is None else bias) - shift)
        count += 1
    return PassReport(NAME, count, f"corrected the bias of {count} layers")


def _layers(graph: ir.Graph) -> list[ir.Node]:
    return [
        n
        for n in graph
        if n.op_type in _LAYERS
        and role_of(n) is Role.WEIGHTED
        and attribute(n, "auto_pad", "NOTSET") in ("NOTSET", "VALID")
        and not attribute(n, "transA", 0)
    ]


def dequantised(value: ir.Value | None) -> Array | None:
    """Returns the reals that a constant behind DequantizeLinear stands for; `None` for anything else."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "DequantizeLinear" or attribute(node, "block_size", 0):
        return None
    codes, scale = constant(operand(node, 0)), constant(operand(node, 1))
    zero = constant(operand(node, 2))
    if codes is None or scale is None:
        return None
    axis = int(attribute(node, "axis", 1))
    shape = [-1 if i == axis % codes.ndim else 1 for i in range(codes.ndim)] if scale.ndim else []
    whole = codes.astype(np.float64) - (0 if zero is None else zero.astype(np.float64).reshape(shape))
    return np.asarray(whole * scale.astype(np.float64).reshape(shape))


def mean_of_result(node: ir.Node, x: Array, weights: Array) -> Array:
    """Returns the mean over positions of what a layer without bias gives, of shape (output channels,).

    Args:
        node: A Conv or Gemm.
        x: Its input, the batch first.
        weights: What stands for its weights.
    """
    if node.op_type == "Gemm":
        place = weights_of(node)
        assert place is not None
        return np.asarray(x.mean(0) @ np.moveaxis(weights, input_axis(node), 0))
    groups = int(attribute(node, "group", 1))
    taps = _taps(node, x, weights.shape[2:])  # (inputs, positions of the kernel)
    split = weights.reshape(groups, weights.shape[0] // groups, weights.shape[1], -1)
    held = np.einsum("goik,gik->go", split, taps.reshape(groups, weights.shape[1], -1))
    return np.asarray(held.reshape(-1))


def _taps(node: ir.Node, x: Array, kernel: tuple[int, ...]) -> Array:
    """Returns the mean of what each position of the kernel meets, of shape (inputs, positions)."""
    rank = len(kernel)
    strides = attribute(node, "strides") or (1,) * rank
    dilations = attribute(node, "dilations") or (1,) * rank
    pads = attribute(node, "pads") or (0,) * 2 * rank
    if attribute(node, "auto_pad", "NOTSET") == "VALID":
        pads = (0,) * 2 * rank
    padded = np.pad(x, [(0, 0), (0, 0), *((pads[i], pads[i + rank]) for i in range(rank))])
    steps = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, s, d in zip(padded.shape[2:], kernel, strides, dilations, strict=True)
    ]
    means = []
    for place in product(*map(range, kernel)):
        cut = tuple(
            slice(p * d, p * d + s * (n - 1) + 1, s)
            for p, d, s, n in zip(place, dilations, strides, steps, strict=True)
        )
        means.append(padded[(slice(None), slice(None), *cut)].mean(axis=(0, *range(2, 2 + rank))))
    return np.stack(means, axis=-1)
