"""Det of small matrices."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers

_MAX_SIZE = 4


@lowers("Det", since=11)
def det(b: TFLiteBuilder, n: Op) -> Value:
    """Det -> sums of products of up to 4 x 4 elements; a larger one would need pivoting."""
    x = n.operand(0)
    size = x.shape[-1]
    if size is None or x.shape[-2] is None:
        n.refuse("the size of the matrix is known only at run time", code="EK305")
    if size > _MAX_SIZE:
        n.refuse(f"a matrix of {size} x {size}; up to {_MAX_SIZE} x {_MAX_SIZE} can be expressed")

    def expand(v: Value) -> Value:
        rows = [[_element(b, v, i, k) for k in range(size)] for i in range(size)]
        return b.reshape(_laplace(rows).value, x.shape[:-2])

    return carried(b, [x], ("float32",), expand)


def _element(b: TFLiteBuilder, x: Value, i: int, k: int) -> Term:
    begin, size = [0] * (x.rank - 2) + [i, k], [-1] * (x.rank - 2) + [1, 1]
    bounds = [b.ints(begin), b.ints(size)]
    return Term(b, b.op("SLICE", [x, *bounds], dtype=x.dtype, shape=(*x.shape[:-2], 1, 1)))


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
