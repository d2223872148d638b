"""Running sums and products."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import result
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_MAX_PRODUCT_ELEMENTS = 2**24
"""A running product multiplies out a square of the axis; beyond this it takes too much memory."""


@lowers("CumSum", since=14)
def cum_sum(b: CoreMlBuilder, n: Op) -> Value:
    """CumSum -> cumsum."""
    x, axis = n.operand(0), int(n.known(1, "axis").reshape(())) % n.operand(0).rank
    exclusive, reverse = bool(n.attr("exclusive", 0)), bool(n.attr("reverse", 0))
    made = b.op("cumsum", x=x, axis=axis, exclusive=exclusive, reverse=reverse)
    if x.dtype.kind == "f":
        return made
    length = x.shape[axis]
    return result(b, n, made, b.interval(x).times(0, 2**31 if length is None else length))


@lowers("CumProd", since=26)
def cum_prod(b: CoreMlBuilder, n: Op) -> Value:
    """CumProd -> reduce_prod over a triangle: row i holds the elements up to i, and ones."""
    x, axis = n.operand(0), int(n.known(1, "axis").reshape(())) % n.operand(0).rank
    length = x.shape[axis]
    if length is None:
        n.refuse("the running axis has a size known only at run time", code="EK305")
    if length * np.prod([d or 1 for d in x.shape], dtype=np.int64) > _MAX_PRODUCT_ELEMENTS:
        n.refuse(f"an axis of {length} elements would take too much memory")
    if x.dtype.kind != "f" and x.dtype.name not in ("int32", "uint32"):
        n.refuse(f"{x.dtype.name} products may leave int32, in which Core ML computes", code="EK303")
    i, j = np.indices((length, length))
    strict = bool(n.attr("exclusive", 0))
    taken = (i + strict <= j) if n.attr("reverse", 0) else (i - strict >= j)
    mask = Term(b, b.const(taken.reshape(length, length, *(1,) * (x.rank - 1 - axis))))
    rows = Term(b, b.expand_dims(x, [axis]))
    return mask.where(rows, 1).reduce("reduce_prod", [axis + 1], keep=False).value
