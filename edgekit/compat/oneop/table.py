"""The table of families: which function builds the models of an op."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from edgekit.compat.oneop.draw import Draw
from edgekit.compat.oneop.model import OneOp
from edgekit.diagnostics import error
from edgekit.lowering.ledger import Emitted

Family = Callable[[Draw, str], Emitted]
_FAMILIES: dict[str, Family] = {}


def family(*names: str) -> Callable[[Family], Family]:
    """Registers the function that builds models of the ops named; it takes the knobs and the op's name."""

    def register(function: Family) -> Family:
        for name in names:
            if name in _FAMILIES:
                raise ValueError(f"`{name}` has two families")
            _FAMILIES[name] = function
        return function

    return register


@cache
def _load() -> None:
    from edgekit.compat.oneop import families

    for module in pkgutil.iter_modules(families.__path__):
        importlib.import_module(f"{families.__name__}.{module.name}")


def op_names() -> tuple[str, ...]:
    """Returns the ops that there are models of, sorted."""
    _load()
    return tuple(sorted(_FAMILIES))


def one_op(name: str, draw: Draw) -> OneOp:
    """Builds a model of one op.

    Args:
        name: TFLite's name of the op.
        draw: The knobs.

    Raises:
        EdgekitError: EK204 if there is no family for the op.
        Meaningless: If the knobs contradict each other.
    """
    _load()
    if name not in _FAMILIES:
        known = ", ".join(f"`{one}`" for one in op_names())
        raise error("EK204", f"there are no models of the op `{name}`", notes=[f"ops: {known}"])
    emitted = _FAMILIES[name](draw, name)
    return OneOp(emitted, dict(draw.turned))
