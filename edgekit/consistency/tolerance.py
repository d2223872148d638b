"""How far an output may be off: a fraction of its range, and what rounding makes unavoidable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.ir import Model


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What error is accepted of a tensor.

    The limit is one number per tensor, so that a large value does not excuse an error elsewhere:
    `max(relative * range, rounding * largest magnitude, floor)`, where a tensor that is constant
    counts its magnitude as its range.

    Attributes:
        relative: Fraction of the reference's range (largest minus smallest finite value).
        rounding: Fraction of the reference's largest magnitude; a value of 1000 cannot be computed
            in float32 to better than about 1e-4, however small the range is.
        floor: Absolute; two numbers that cancel leave about the rounding of their magnitude, taken
            as one. A comparison that holds by the floor alone says so.
    """

    relative: float
    rounding: float = 0.0
    floor: float = 0.0

    def limit(self, low: float, high: float) -> float:
        """Returns the largest absolute error accepted of a tensor with this range."""
        largest = max(abs(low), abs(high))
        spread = high - low if high > low else largest
        return max(self.relative * spread, self.rounding * largest, self.floor)


EXACT = Tolerance(0.0)
"""For integers, bools and text."""


def _float_tolerance(relative: float, epsilon: float, roundings: float, floor: float) -> Tolerance:
    """Builds a tolerance from the distance between 1 and the next number, in units of which it counts."""
    return Tolerance(relative, roundings * epsilon, floor * epsilon)


# From the finest to the coarsest. Sixteen bits leave less room between rounding and a real mistake.
_BY_PRECISION = {
    "float64": _float_tolerance(1e-6, 2.0**-52, roundings=32, floor=2),
    "float32": _float_tolerance(1e-4, 2.0**-23, roundings=32, floor=2),
    "float16": _float_tolerance(2e-2, 2.0**-10, roundings=4, floor=1 / 16),
    "bfloat16": _float_tolerance(5e-2, 2.0**-7, roundings=4, floor=1 / 16),
}
# Below 16 bits one step is a sizeable part of the range; no rounding is excused on top of it.
_NARROW = Tolerance(0.125)
_REAL_OF = {"complex64": "float32", "complex128": "float64"}


def default_tolerance(*precisions: str) -> Tolerance:
    """Returns the tolerance of a tensor that is computed in several precisions.

    Args:
        precisions: Names of dtypes; the coarsest decides. Integers, bools and text ask for equality
            when they come first.
    """
    names = [_REAL_OF.get(name, name) for name in precisions]
    if not is_float(names[0]):
        return EXACT
    floats = [name for name in names if is_float(name)]
    if any(name not in _BY_PRECISION for name in floats):
        return _NARROW
    order = list(_BY_PRECISION)
    return _BY_PRECISION[max(floats, key=order.index)]


def is_float(name: str) -> bool:
    """Tells whether the name of a dtype is that of a float or a complex type."""
    return name.startswith(("float", "bfloat", "complex"))


def tolerance_for(tensor: str, asked: float | Mapping[str, float] | None, *precisions: str) -> Tolerance:
    """Returns the tolerance of an output.

    Args:
        tensor: Its name.
        asked: What the user accepts, as a fraction of the range: of all outputs that are not exact by
            nature, or by name.
        precisions: As `default_tolerance`.
    """
    default = default_tolerance(*precisions)
    if isinstance(asked, Mapping):
        return Tolerance(float(asked[tensor])) if tensor in asked else default
    if asked is None or default is EXACT:
        return default
    return Tolerance(float(asked), default.rounding if asked > 0 else 0.0)


def inner_precisions(model: Model) -> tuple[str, ...]:
    """Returns the 16-bit float types that a model computes in, whatever its outputs are.

    Weights that are only stored in 16 bits and cast before use do not count.
    """
    nodes = ir.traversal.RecursiveGraphIterator(model.ir.graph)
    return tuple(sorted({name for node in nodes for name in _precisions_of(node)}))


_HALF = {ir.DataType.FLOAT16: "float16", ir.DataType.BFLOAT16: "bfloat16"}


def _precisions_of(node: ir.Node) -> Iterator[str]:
    if node.op_type in ("Constant", "Identity"):
        return
    if node.op_type == "Cast":
        made = ir.DataType(node.attributes["to"].as_int())
        if made in _HALF and node.inputs[0] is not None and not node.inputs[0].is_initializer():
            yield _HALF[made]
        return
    for value in (*node.inputs, *node.outputs):
        if value is not None and value.dtype in _HALF:
            yield _HALF[value.dtype]


def dtype_text(dtype: np.dtype[Any]) -> str:
    """Returns the name of a dtype for people."""
    return "string" if dtype.kind in "OUS" else str(dtype.name)
