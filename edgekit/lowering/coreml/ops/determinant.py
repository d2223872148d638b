"""Det of small matrices."""

from __future__ import annotations

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.movement import cut
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_MAX_SIZE = 4


@lowers("Det", since=11)
def det(b: CoreMlBuilder, n: Op) -> Value:
    """Det -> sums of products of up to 4 x 4 elements; a larger one would need pivoting."""
    x = n.operand(0)
    size = x.shape[-1]
    if size is None or x.static_shape is None:
        n.refuse("the size of the matrix is known only at run time", code="EK305")
    if size > _MAX_SIZE:
        n.refuse(f"a matrix of {size} x {size}; up to {_MAX_SIZE} x {_MAX_SIZE} can be expressed")
    rows = [[_element(b, x, i, k) for k in range(size)] for i in range(size)]
    return b.squeeze(_laplace(rows).value, [x.rank - 2, x.rank - 1])


def _element(b: CoreMlBuilder, x: Value, i: int, k: int) -> Term:
    row = cut(b, x, x.rank - 2, i, i + 1)
    return Term(b, cut(b, row, x.rank - 1, k, k + 1))


def _laplace(rows: list[list[Term]]) -> Term:
    """Expansion along the first row."""
    if len(rows) == 1:
        return rows[0][0]
    total = None
    for k, factor in enumerate(rows[0]):
        term = factor * _laplace([row[:k] + row[k + 1 :] for row in rows[1:]])
        signed = -term if k % 2 else term
        total = signed if total is None else total + signed
    assert total is not None
    return total
