"""The table of rounding rules: what a kernel of TFLite or XNNPACK makes of given integers."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgekit.ir.ledger import Emitted, Value
from edgekit.runners import Array

Predict = Callable[["Case"], "Array | None"]
"""The integers that a rule gives; `None` where it does not apply."""


@dataclass(frozen=True, slots=True)
class Case:
    """An op with the integers at its inputs.

    Attributes:
        op: The op.
        arrays: A value for each operand that is not constant.
    """

    op: Emitted
    arrays: Mapping[Value, Array]

    def codes(self, index: int) -> Array:
        """Returns the integers of an operand."""
        value = self.value(index)
        return value.data if value.data is not None else self.arrays[value]

    def value(self, index: int) -> Value:
        """Returns an operand that must be there."""
        value = self.op.inputs[index]
        assert value is not None
        return value

    def has(self, index: int) -> bool:
        """Tells whether an operand is given."""
        return index < len(self.op.inputs) and self.op.inputs[index] is not None

    @property
    def result(self) -> Value:
        """The result."""
        return self.op.outputs[0]


@dataclass(frozen=True, slots=True)
class Rule:
    """One documented way to round.

    Attributes:
        name: What the reports call it.
        predict: Gives the integers.
    """

    name: str
    predict: Predict


RULES: dict[str, list[Rule]] = {}
"""Rules by TFLite's name of the op; `load_rules` fills it."""


def predicts(*ops: str, name: str) -> Callable[[Predict], Predict]:
    """Registers the decorated function as a rule of ops.

    Args:
        ops: TFLite's names of ops.
        name: What the reports call the rule.
    """

    def register(predict: Predict) -> Predict:
        for op in ops:
            RULES.setdefault(op, []).append(Rule(name, predict))
        return predict

    return register


@functools.cache
def load_rules() -> None:
    """Imports the families of rules; they register themselves."""
    package = importlib.import_module("edgekit.consistency.layers.rules")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
