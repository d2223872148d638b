"""Ops that accelerators rarely have, as the plain ops that ONNX defines them by."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.decompose import expand
from edgekit.passes.edit import Maker
from edgekit.passes.splice import splice


@advises(
    "Celu",
    "Elu",
    "Gelu",
    "GroupNormalization",
    "LayerNormalization",
    "MeanVarianceNormalization",
    "Mish",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceSumSquare",
    "Selu",
    "Shrink",
    "Softplus",
    "Softsign",
    "ThresholdedRelu",
    name="expand",
    what="normalisations, activations and reductions become the plain ops that define them",
    claim=Claim.ROUNDING,
    training="prefer BatchNorm to LayerNorm and GroupNorm, and ReLU6 to GELU and Mish",
)
def to_plain_ops(maker: Maker) -> bool:
    """Takes the decomposition that a lowering would take where it has no kernel."""
    fragment = expand(maker.node)
    if fragment is None:
        return False
    splice(maker.node, fragment)
    return True
