"""Options that only the TFLite backend has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from edgekit.diagnostics import error


@dataclass(frozen=True, slots=True)
class TFLiteOptions:
    """What `options` of a conversion to TFLite may hold.

    Attributes:
        require_full_integer: Refuse a model of which an op would stay in float.
        integer_io: Give quantised public inputs and outputs as integers.
        exact_functions: Look quantised functions (HARD_SWISH, LOGISTIC, TANH) up in tables, which is exact
            and slower, and which accelerators leave to the CPU.
    """

    require_full_integer: bool = False
    integer_io: bool = False
    exact_functions: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Reads the options.

        Raises:
            EdgekitError: EK204 for an unknown name, EK202 for a value that is not a bool.
        """
        known = {f.name for f in fields(cls)}
        for name, value in options.items():
            if name not in known:
                choices = ", ".join(f"`{n}`" for n in sorted(known))
                raise error("EK204", f"tflite has no option `{name}`", notes=(f"options: {choices}",))
            if not isinstance(value, bool):
                raise error("EK202", f"the option `{name}` is {value!r}; it must be true or false")
        return cls(**options)
