"""Integer arithmetic in int32: results are proved to fit, or brought back into a narrower dtype."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml import bounds
from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.storage import INT32, NARROWED
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op, Unlowerable

HALF_RANGE = 2**31


def result(b: CoreMlBuilder, n: Op, x: Value, exact: Interval) -> Value:
    """Makes sure that an int32 result is what its own dtype would hold.

    int32 and uint32 wrap like the hardware; narrower dtypes are wrapped here.

    Args:
        b: The builder.
        n: The node, which says whether the user accepts a result that is right only while it is small.
        x: The result, computed in int32 and labelled with its dtype.
        exact: Between which numbers the exact result lies.

    Raises:
        Unlowerable: If the dtype is wider than int32, the result could leave int32, and the user does not
            allow that.
    """
    if x.data is not None:
        return x
    if x.dtype.name in NARROWED:
        if not exact.is_int32:
            n.approximate(f"its {x.dtype.name} result could leave int32, in which Core ML computes")
            return x
        return b.bounded(x, exact)
    if x.dtype.itemsize >= 4:
        return b.bounded(x, exact) if _holds(x, exact) else x
    return b.bounded(x, exact) if _holds(x, exact) else wrap(b, x, x.dtype)


def _holds(x: Value, exact: Interval) -> bool:
    limits = bounds.of_dtype(x.dtype)
    return limits.low <= exact.low and exact.high <= limits.high


def wrap(b: CoreMlBuilder, x: Value, dtype: np.dtype[np.generic]) -> Value:
    """Keeps the low bits of int32 elements, as a narrower dtype does."""
    low = bounds.of_dtype(dtype).low
    size = 1 << (8 * dtype.itemsize)
    term = Term(b, b.relabel(x, INT32))
    kept = (term - low) % size + low if low else term % size
    return b.relabel(kept.value, dtype)


def in_order(b: CoreMlBuilder, x: Value) -> Value:
    """Maps uint32, kept as its bits, so that int32 has its order; leaves other dtypes alone."""
    if x.dtype != np.uint32 or b.interval(x).is_int32:
        return x
    return (Term(b, b.relabel(x, INT32)) + -HALF_RANGE).value


def require_signed(b: CoreMlBuilder, x: Value, what: str) -> Value:
    """Returns an integer as int32 of the same value.

    Raises:
        Unlowerable: If it is a uint32 that may be too large.
    """
    if not b.interval(x).is_int32:
        raise Unlowerable(f"{what} of {x.dtype.name} beyond int32, in which Core ML computes")
    return b.int32(x)
