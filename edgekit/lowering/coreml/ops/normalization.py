"""Normalisation over batches, instances, groups, layers and norms."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op, Unlowerable


@lowers("BatchNormalization", since=15)
def batch_normalization(b: CoreMlBuilder, n: Op) -> Value:
    """BatchNormalization -> batch_norm with constant statistics, else its formula."""
    x, epsilon = n.operand(0), float(n.attr("epsilon", 1e-5))
    if n.attr("training_mode", 0):
        n.refuse("`training_mode`: Core ML has no statistics of the batch")
    scale, bias, mean, variance = (b.cast(n.operand(i), x.dtype) for i in (1, 2, 3, 4))
    if 3 <= x.rank <= 5 and all(v.data is not None for v in (scale, bias, mean, variance)):
        return b.op("batch_norm", x=x, mean=mean, variance=variance, gamma=scale, beta=bias, epsilon=epsilon)
    shape = [-1 if i == 1 else 1 for i in range(x.rank)]
    s, o, m, v = (Term(b, b.reshape(p, _channels(p, shape))) for p in (scale, bias, mean, variance))
    return ((Term(b, x) - m) / (v + epsilon).sqrt() * s + o).value


def _channels(p: Value, shape: list[int]) -> list[int | None]:
    return [p.shape[0] if d == -1 else d for d in shape]


@lowers("InstanceNormalization", since=22)
def instance_normalization(b: CoreMlBuilder, n: Op) -> Value:
    """InstanceNormalization -> instance_norm, of other ranks its formula."""
    x, scale, bias = n.operand(0), n.operand(1), n.operand(2)
    epsilon = float(n.attr("epsilon", 1e-5))
    if x.rank in (3, 4) and scale.data is not None and bias.data is not None:
        return b.op("instance_norm", x=x, gamma=scale, beta=bias, epsilon=epsilon)
    shape = [scale.shape[0] if i == 1 else 1 for i in range(x.rank)]
    s, o = (Term(b, b.reshape(p, shape)) for p in (scale, bias))
    return (_standardised(Term(b, x), range(2, x.rank), epsilon) * s + o).value


def _standardised(x: Term, axes: range, epsilon: float) -> Term:
    centred = x - x.reduce("reduce_mean", axes)
    variance = (centred * centred).reduce("reduce_mean", axes)
    return centred / (variance + epsilon).sqrt()


@lowers("LayerNormalization", since=17)
def layer_normalization(b: CoreMlBuilder, n: Op) -> Value:
    """LayerNormalization -> layer_norm, if neither mean nor deviation is wanted."""
    x, scale, bias = n.operand(0), n.operand(1), n.input(2)
    axes = list(range(int(n.attr("axis", -1)) % x.rank, x.rank))
    if n.is_used(1) or n.is_used(2):
        raise Unlowerable("Core ML's layer_norm gives neither mean nor deviation")
    sizes = x.shape[axes[0] :]
    gamma, beta = _whole(b, scale, sizes), _whole(b, bias, sizes)
    epsilon = float(n.attr("epsilon", 1e-5))
    if gamma is not None and (bias is None or beta is not None):
        return b.op("layer_norm", x=x, axes=axes, gamma=gamma, beta=beta, epsilon=epsilon)
    made = Term(b, b.op("layer_norm", x=x, axes=axes, epsilon=epsilon)) * Term(b, scale)
    return (made if bias is None else made + Term(b, bias)).value


def _whole(b: CoreMlBuilder, p: Value | None, sizes: tuple[int | None, ...]) -> Value | None:
    """Returns a constant in the sizes of the normalised axes, `None` if it does not fit them."""
    if p is None or p.data is None or None in sizes:
        return None
    data = p.data.reshape(p.data.shape[max(0, p.rank - len(sizes)) :]) if p.data.size else p.data
    try:
        return b.const(np.ascontiguousarray(np.broadcast_to(data, [int(s or 0) for s in sizes])))
    except ValueError:
        return None


@lowers("LpNormalization", since=22)
def lp_normalization(b: CoreMlBuilder, n: Op) -> Value:
    """LpNormalization -> the input over its norm; zeros stay zero."""
    x = Term(b, n.operand(0))
    axis, p = int(n.attr("axis", -1)) % len(x.shape), int(n.attr("p", 2))
    norm = x.abs().reduce("reduce_sum", [axis]) if p == 1 else (x * x).reduce("reduce_sum", [axis]).sqrt()
    return (x / norm.equals(0).where(1, norm)).value


@lowers("LRN", since=13)
def lrn(b: CoreMlBuilder, n: Op) -> Value:
    """LRN -> local_response_norm for an odd size."""
    x, size = n.operand(0), int(n.attr("size"))
    alpha, beta, k = float(n.attr("alpha", 1e-4)), float(n.attr("beta", 0.75)), float(n.attr("bias", 1.0))
    if size % 2 == 0:
        n.refuse(f"an even `size` {size}: MIL does not say on which side the window is longer")
    if not 3 <= x.rank <= 5:
        n.refuse(f"an input of rank {x.rank}; Core ML takes 3, 4 or 5")
    return b.op("local_response_norm", x=x, size=size, alpha=alpha, beta=beta, k=k)
