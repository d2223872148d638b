"""Options that only the TFLite backend has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from edgekit.diagnostics import error
from edgekit.lowering.tflite.weights import STORAGES


@dataclass(frozen=True, slots=True)
class TFLiteOptions:
    """What `options` of a conversion to TFLite may hold.

    Attributes:
        require_full_integer: Refuse a model of which an op would stay in float.
        integer_io: Give quantised public inputs and outputs as integers.
        exact_functions: Look quantised functions (HARD_SWISH, LOGISTIC, TANH) up in tables, which is exact
            and slower, and which accelerators leave to the CPU.
        unsigned: Give uint8 its own kernels; else it becomes int8, with codes less 128.
        weights: How weights of ops in float are stored: `plain` is float32; `dequantized` keeps the integers
            behind DequantizeLinear; `hybrid` gives them to kernels that quantise activations too;
            `float16` halves what float16 holds exactly.
    """

    require_full_integer: bool = False
    integer_io: bool = False
    exact_functions: bool = False
    unsigned: bool = False
    weights: str = "plain"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Reads the options.

        Raises:
            EdgekitError: EK204 for an unknown name, EK202 for a value that is none of the choices.
        """
        known = {f.name for f in fields(cls)}
        for name, value in options.items():
            if name not in known:
                choices = ", ".join(f"`{n}`" for n in sorted(known))
                raise error("EK204", f"tflite has no option `{name}`", notes=(f"options: {choices}",))
            if name == "weights" and value not in STORAGES:
                choices = ", ".join(f"`{n}`" for n in STORAGES)
                raise error("EK202", f"the option `weights` is {value!r}; it must be one of {choices}")
            if name != "weights" and not isinstance(value, bool):
                raise error("EK202", f"the option `{name}` is {value!r}; it must be true or false")
        return cls(**options)
