"""BatchNormalization: test mode only, and statistics for each element (`spatial=0`) as plain arithmetic."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute, is_used, rank_of
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("BatchNormalization", to=7)
def test_mode(maker: Maker) -> None:
    """Drops `is_test`; training has no place in a deployed model."""
    if not attribute(maker.node, "is_test", 0):
        raise refuse(maker.node, "it is in training mode (`is_test` is 0)")
    maker.node.attributes.pop("is_test", None)


@adapts("BatchNormalization", to=9)
def spatial(maker: Maker) -> None:
    """Statistics of shape [C, D1, ...] broadcast over the batch."""
    node = maker.node
    per_channel = attribute(node, "spatial", 1)
    node.attributes.pop("spatial", None)
    if per_channel or rank_of(node.inputs[0]) == 2:
        return
    _refuse_training(maker)
    x, scale, bias, mean, var = node.inputs
    if x is None or x.dtype is None:
        raise refuse(node, "the dtype of its input is unknown")
    epsilon = maker.const(attribute(node, "epsilon", 1e-5), x.dtype, "epsilon")
    deviation = maker.op("Sqrt", maker.op("Add", var, epsilon))
    normal = maker.op("Div", maker.op("Sub", x, mean), deviation)
    maker.replace(maker.op("Add", maker.op("Mul", normal, scale), bias))


@adapts("BatchNormalization", to=14)
def training_outputs(maker: Maker) -> None:
    """Before version 14 further outputs mean training mode; unused ones are dropped."""
    _refuse_training(maker)
    maker.node.resize_outputs(1)


def _refuse_training(maker: Maker) -> None:
    if any(is_used(v) for v in maker.node.outputs[1:]):
        raise refuse(maker.node, "its statistics are used as outputs, as in training")
