"""Version 6 drops the attribute `consumed_inputs`, which never had a meaning for the result."""

from __future__ import annotations

from edgekit.passes.edit import Maker
from edgekit.passes.upgrade.table import adapts


@adapts(
    *("Abs", "Add", "Ceil", "Div", "Dropout", "Elu", "Exp", "Floor", "HardSigmoid", "InstanceNormalization"),
    *("LeakyRelu", "Log", "Max", "Mean", "Min", "Mul", "Neg", "PRelu", "Reciprocal", "Relu", "Sigmoid"),
    *("Sqrt", "Sub", "Sum", "Tanh", "BatchNormalization"),
    to=6,
)
def drop_consumed_inputs(maker: Maker) -> None:
    """Removes the attribute."""
    maker.node.attributes.pop("consumed_inputs", None)
