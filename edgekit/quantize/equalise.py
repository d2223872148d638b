"""Cross-layer equalisation: channels get like ranges, and the float model computes what it did.

Let `y = f(A x + a)` feed `z = B y + b`, with f acting on each channel alone and positively homogeneous:
`f(c t) = c f(t)` for c > 0. That holds for ReLU, LeakyReLU, PReLU (on either side of zero each is a multiple
of its argument, and c > 0 changes no sign), for sums and maxima over positions, hence for pools and means.
With a positive factor s_i for each channel and S = diag(s):

    f(S^-1 A x + S^-1 a) = S^-1 y,    (B S) (S^-1 y) + b = z

so A, a divided by s and the columns of B multiplied by s give the same z, and s is free to be chosen so that
one scale fits all channels. A limit such as that of ReLU6 is not homogeneous; such pairs are left alone.

M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight Equalization and
Bias Correction", ICCV 2019, choose s_i = sqrt(r_i / q_i) with r_i the range of row i of A and q_i of column i
of B: then the two ranges are equal, and the product of the channels' shares of the whole ranges is largest.
That is the right choice where A and B have one scale each. Where each output channel has its own scale, rows
of A may have any range; what still shares a scale is the activation y. Then r_i is the range of y in channel
i over the calibration data, the rows of B count relative to their own largest element, and a depthwise B, of
which every channel has its own scale, limits nothing: s_i = r_i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import attribute, constant, operand
from edgekit.passes.report import PassReport
from edgekit.quantize.arithmetic import Array
from edgekit.quantize.constants import replace_constant
from edgekit.quantize.pairs import Apart, Pair, channel_axis, input_axis, pairs_of
from edgekit.quantize.roles import weights_of

NAME = "equalise"
_ROUNDS = 30
_SETTLED = 1e-2
_NARROWEST = 2.0**-12
"""Smallest range of a channel, as a part of the largest, that counts: a channel that calibration hardly
moves could be used by other data."""


@dataclass(frozen=True, slots=True)
class Equalised:
    """What was done, and which layers were left alone for which reason."""

    report: PassReport
    apart: tuple[Apart, ...]


def watched(graph: ir.Graph) -> dict[str, int]:
    """Returns the tensors whose ranges per channel decide where every output channel has a scale.

    Returns:
        The axis of the channels, by the name of the tensor.
    """
    pairs = pairs_of(graph)[0]
    axes = {pair.value.name: channel_axis(pair.second, of_input=True) for pair in pairs}
    return {name: axis for name, axis in axes.items() if name and axis is not None}


def call(model: ir.Model, spans: Mapping[str, Array] | None) -> Equalised:
    """Equalises the pairs of a model.

    Args:
        model: A prepared float model, changed in place; it computes the same up to float rounding.
        spans: The largest magnitude of each channel of the tensors of `watched`, each of shape
            (channels of the second layer,), for weights with one scale per output channel; `None` for
            weights with one scale in all.
    """
    pairs, apart = pairs_of(model.graph)
    work = _Work({}, {}, None if spans is None else {k: v.astype(np.float64) for k, v in spans.items()})
    for _ in range(_ROUNDS):
        moved = 0.0
        for pair in pairs:
            factors = work.factors(pair)
            work.scale(pair, factors)
            moved = max(moved, float(np.abs(np.log(factors)).max(initial=0)))
        if moved < _SETTLED:
            break
    work.write()
    report = PassReport(NAME, len(pairs), f"equalised {len(pairs)} pairs of layers")
    return Equalised(report, tuple(apart))


@dataclass(slots=True)
class _Work:
    """Weights and biases on their way, by node, and the spans of channels by tensor."""

    weights: dict[ir.Node, Array]
    biases: dict[ir.Node, Array]
    spans: dict[str, Array] | None

    def factors(self, pair: Pair) -> Array:
        """Returns s, of shape (channels,)."""
        span = None if self.spans is None else self.spans.get(pair.value.name or "")
        first, second = self._weights(pair.first), self._weights(pair.second)
        if span is None:
            rows = np.abs(np.moveaxis(first, _rows(pair.first), 0)).reshape(pair.channels, -1).max(1)
            return _bounded(rows, _by_channel(_by_input(pair.second, second), pair), 0.5)
        range_ = _by_channel(span, pair)
        if pair.second.op_type == "Conv" and second.shape[1] == 1:
            return _bounded(range_, np.ones(pair.channels), 1.0)
        axis = _rows(pair.second)
        others = tuple(i for i in range(second.ndim) if i != axis)
        largest = np.abs(second).max(axis=others, keepdims=True)
        relative = second / np.where(largest > 0, largest, 1)
        return _bounded(range_, _by_channel(_by_input(pair.second, relative), pair), 0.5)

    def scale(self, pair: Pair, factors: Array) -> None:
        """Divides the first of a pair by factors and multiplies the second."""
        first, second = self._weights(pair.first), self._weights(pair.second)
        axis = _rows(pair.first)
        shape = [-1 if i == axis else 1 for i in range(first.ndim)]
        self.weights[pair.first] = first / factors.reshape(shape)
        bias = self.biases.get(pair.first, constant(operand(pair.first, 2)))
        if bias is not None:
            self.biases[pair.first] = bias / factors
        repeated = np.repeat(factors, pair.repeat)
        self.weights[pair.second] = second * _along_inputs(pair.second, second.shape, repeated)
        name = pair.value.name or ""
        if self.spans is not None and name in self.spans:
            self.spans[name] = self.spans[name] / repeated

    def write(self) -> None:
        """Gives the nodes their new constants."""
        for index, held in ((1, self.weights), (2, self.biases)):
            for node, data in held.items():
                replace_constant(node, index, data)

    def _weights(self, node: ir.Node) -> Array:
        if node not in self.weights:
            held = constant(operand(node, 1))
            assert held is not None
            self.weights[node] = held.astype(np.float64)
        return self.weights[node]


def _rows(node: ir.Node) -> int:
    place = weights_of(node)
    assert place is not None
    return place.axis


def _by_channel(values: Array, pair: Pair) -> Array:
    """Returns the largest of the inputs of the second layer that a channel of the first becomes."""
    return np.asarray(values.reshape(pair.channels, pair.repeat).max(1), np.float64)


def _bounded(r: Array, q: Array, power: float) -> Array:
    """Returns (r / q)^power up to a common factor; 1 where a channel is zero throughout."""
    live = (r > 0) & (q > 0)
    if not live.any():
        return np.ones(len(r))
    ratio = np.where(live, r / np.where(live, q, 1), 1)
    factors = np.maximum(ratio / ratio[live].max(), _NARROWEST) ** power
    return np.asarray(np.where(live, factors / np.exp(np.log(factors[live]).mean()), 1))


def _by_input(node: ir.Node, weights: Array) -> Array:
    """Returns the largest magnitude of the weights of each input channel, of shape (inputs,)."""
    held = np.abs(weights)
    if node.op_type != "Conv":
        moved = np.moveaxis(held, input_axis(node), 0)
        return np.asarray(moved.reshape(len(moved), -1).max(1))
    groups = int(attribute(node, "group", 1))
    split = held.reshape(groups, held.shape[0] // groups, held.shape[1], -1)
    return np.asarray(split.max(axis=(1, 3)).reshape(-1))


def _along_inputs(node: ir.Node, shape: Sequence[int], factors: Array) -> Array:
    """Broadcasts a factor for each input channel over the weights of a node."""
    if node.op_type != "Conv":
        return factors.reshape([-1 if i == input_axis(node) else 1 for i in range(len(shape))])
    groups = int(attribute(node, "group", 1))
    wide = np.repeat(factors.reshape(groups, shape[1]), shape[0] // groups, axis=0)
    return wide.reshape(*wide.shape, *[1] * (len(shape) - 2))
