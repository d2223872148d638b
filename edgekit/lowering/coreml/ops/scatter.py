"""Writing elements at indices."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.indices import from_front
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_MODES = {"none": "update", "add": "add", "mul": "mul", "max": "max", "min": "min"}


@lowers("ScatterElements", since=18)
def scatter_elements(b: CoreMlBuilder, n: Op) -> Value:
    """ScatterElements -> scatter_along_axis; updates of other sizes by coordinates with scatter_nd."""
    x, indices, updates = n.operand(0), n.operand(1), n.operand(2)
    axis = int(n.attr("axis", 0)) % x.rank
    places = from_front(b, indices, sz.size_of(b, x, axis))
    same = all(i == axis or p == q for i, (p, q) in enumerate(zip(x.shape, indices.shape, strict=True)))
    if same and None not in x.shape:
        return _scattered(b, n, "scatter_along_axis", x, places, updates, axis=axis)
    shape = indices.static_shape
    if shape is None:
        n.refuse("indices of a size known only at run time", code="EK305")
    grids = np.indices(shape).astype(np.int32)
    columns = [
        b.expand_dims(places, [len(shape)]) if i == axis else b.const(grids[i][..., None])
        for i in range(len(shape))
    ]
    if len(shape) == 5:  # the coordinates would have six axes
        columns = [b.reshape(c, (-1 if None in c.shape else int(np.prod(shape)), 1)) for c in columns]
        updates = b.reshape(updates, (int(np.prod(shape)),))
    return _scattered(b, n, "scatter_nd", x, b.concat(columns, columns[0].rank - 1), updates)


@lowers("ScatterND", since=18)
def scatter_nd(b: CoreMlBuilder, n: Op) -> Value:
    """ScatterND -> scatter_nd."""
    x, indices = n.operand(0), n.operand(1)
    depth = indices.shape[-1]
    if depth is None:
        n.refuse("the length of the coordinates is known only at run time", code="EK305")
    places = from_front(b, indices, [sz.size_of(b, x, i) for i in range(depth)])
    return _scattered(b, n, "scatter_nd", x, places, n.operand(2))


def _scattered(
    b: CoreMlBuilder, n: Op, op: str, x: Value, places: Value, updates: Value, **params: object
) -> Value:
    mode = _MODES[n.attr("reduction", "none")]
    if x.dtype.kind in "iu" and mode in ("add", "mul"):
        n.refuse(f"integers with `reduction` {n.attr('reduction')}; how far they grow is not known")
    if x.dtype == np.bool_:
        made = b.op(
            op,
            data=b.cast(x, np.int32),
            indices=places,
            updates=b.cast(updates, np.int32),
            mode=mode,
            **params,
        )
        return b.cast(made, np.bool_)
    return b.op(op, data=x, indices=places, updates=updates, mode=mode, **params)
