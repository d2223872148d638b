"""Tensors made from sizes: ranges, constants, diagonals, triangles."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import require_signed
from edgekit.lowering.coreml.storage import stored_data
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("Range", since=11)
def range_(b: CoreMlBuilder, n: Op) -> Value:
    """Range -> range_1d of steps, scaled."""
    start, limit, delta = (b.reshape(n.operand(i), ()) for i in range(3))
    if start.dtype.kind == "f":
        count = _steps(Term(b, limit) - Term(b, start), Term(b, delta))
    else:
        first, last, step = (Term(b, require_signed(b, v, "a range")) for v in (start, limit, delta))
        count = ((first - last) // step * -1).maximum(0)
    made = b.value(np.int32, n.out_shape())
    b.emit("range_1d", {"start": np.int32(0), "end": count.value, "step": np.int32(1)}, [made])
    if start.dtype.kind == "f":
        return (Term(b, b.cast(made, start.dtype)) * Term(b, delta) + Term(b, start)).value
    steps = Term(b, made) * Term(b, b.int32(delta)) + Term(b, b.int32(start))
    span = b.interval(start).union(b.interval(limit))
    return b.bounded(b.relabel(steps.value, start.dtype), span)


def _steps(span: Term, delta: Term) -> Term:
    """Counts steps; the remainder of the division is exact and tells whether a last, partial one counts."""
    rest = span.abs() % delta.abs()
    whole = ((span.abs() - rest) / delta.abs()).unary("round")
    steps = (whole + (rest > 0).cast(span.value.dtype)).cast(np.int32)
    ahead = (span * delta.unary("sign") > 0).cast(np.int32)
    return steps * ahead


@lowers("ConstantOfShape", since=25)
def constant_of_shape(b: CoreMlBuilder, n: Op) -> Value:
    """ConstantOfShape -> fill."""
    value = n.attr("value")
    number = np.zeros(1, np.float32) if value is None else value.numpy()
    shape = n.operand(0)
    if shape.data is not None:
        return b.const(np.full(shape.data.tolist(), number.reshape(()), number.dtype))
    made = b.value(number.dtype, n.out_shape())
    b.emit("fill", {"shape": b.int32(shape), "value": stored_data(number).reshape(())[()]}, [made])
    return made


@lowers("EyeLike", since=22)
def eye_like(b: CoreMlBuilder, n: Op) -> Value:
    """EyeLike -> a constant of a known size."""
    shape = n.operand(0).static_shape
    if shape is None:
        n.refuse("a size known only at run time", code="EK305")
    rows, columns = shape
    return b.const(np.eye(rows, columns, k=int(n.attr("k", 0))), n.out().dtype)


@lowers("Trilu", since=14)
def trilu(b: CoreMlBuilder, n: Op) -> Value:
    """Trilu -> band_part on the diagonal, else select by a constant mask."""
    x, upper = n.operand(0), bool(n.attr("upper", 1))
    k = 0 if n.input(1) is None else int(n.known(1, "k").reshape(()))
    rows, columns = x.shape[-2:]
    if rows is None or columns is None:
        if k:
            n.refuse("a shifted diagonal of a size known only at run time", code="EK305")
        return b.op("band_part", x=x, lower=0 if upper else -1, upper=-1 if upper else 0)
    ones = np.ones((rows, columns), bool)
    mask = Term(b, b.const(np.triu(ones, k) if upper else np.tril(ones, k)))
    return mask.where(Term(b, x), 0).value
