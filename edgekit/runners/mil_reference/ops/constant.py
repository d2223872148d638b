"""Constants, copies and casts."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.call import Typed
from edgekit.runners.mil_reference.refusal import Refusal, require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import NAMED, Array, Runtime

_OLD = ("int32", "fp16", "fp32", "bool")
_NEW = (*_OLD, "int8", "uint8", "int16", "uint16")


@evaluates("const")
def const(val: Runtime) -> Runtime:
    """Gives a constant of the program."""
    return _as_is(val)


@evaluates("identity")
def identity(x: Runtime) -> Runtime:
    """Gives what it takes."""
    return _as_is(x)


def _as_is(value: Runtime) -> Runtime:
    # A tensor of any float type passes without the rounding of results.
    return Typed(value, value.dtype) if isinstance(value, np.ndarray) else value  # type: ignore[return-value]


@evaluates("cast")
def cast_15(x: Array, dtype: str) -> Typed:
    """Converts to another dtype."""
    return cast_to(x, dtype, _OLD)


@evaluates("cast", since=17)
def cast_17(x: Array, dtype: str) -> Typed:
    """Converts to another dtype; small integers too."""
    return cast_to(x, dtype, _NEW)


def cast_to(x: Array, name: str, choices: tuple[str, ...]) -> Typed:
    """Converts a tensor: floats to integers towards zero, numbers to bool by being other than 0.

    Raises:
        Refusal: For another dtype, and for a number that has no place in it: what a device makes of
            that is not specified.
    """
    require(name in choices, f"`dtype` is `{name}` instead of one of {', '.join(choices)}")
    target = NAMED[name].carrier
    if target.kind in "iu" and x.dtype.kind in "fiu":
        limits = np.iinfo(target)
        wide = np.trunc(x).astype(np.float64) if x.dtype.kind == "f" else x
        if not bool(np.all((wide >= limits.min) & (wide <= limits.max))):
            raise Refusal(f"a value has no place in {name}")
    return Typed(x.astype(target), target)
