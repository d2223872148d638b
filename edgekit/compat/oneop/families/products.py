"""Products of matrices."""

from __future__ import annotations

import numpy as np

from edgekit.compat.oneop.draw import Draw
from edgekit.compat.oneop.families.window import bias, weights
from edgekit.compat.oneop.model import Meaningless, feature_map
from edgekit.compat.oneop.table import family
from edgekit.lowering.ledger import Emitted, Value


@family("FULLY_CONNECTED")
def fully_connected(draw: Draw, name: str) -> Emitted:
    """A product with weights, constant or computed at run time."""
    dtype = draw.one_of("dtype", "int8", "int16", "uint8", "float32", "int32")
    batch = draw.size("batch", 1, 12, near=(1,))
    depth = draw.size("depth", 32, 2048, near=(1, 65536))
    made = draw.size("units", 10, 1024, near=(1,))
    rank = draw.one_of("rank", 2, 3, 4)
    keep = rank > 2 and draw.one_of("keep_num_dims", True, False)
    ifm = feature_map(draw, (*([1] * (rank - 2)), batch, depth), dtype=dtype, name="ifm")
    result = (*([1] * (rank - 2)), batch, made) if keep else (batch, made)
    ofm = feature_map(draw, result, dtype=dtype, name="ofm")
    attrs = {
        "fused_activation_function": draw.one_of("activation", "NONE", "RELU", "RELU6", "TANH"),
        "keep_num_dims": keep,
    }
    filters = weights(draw, (made, depth), 0, dtype=dtype)
    if draw.one_of("weights_from", "constant", "run time") == "run time":
        filters = Value(filters.dtype, filters.shape, None, filters.quant)
    return Emitted(name, (ifm, filters, bias(draw, made, dtype=dtype)), (ofm,), attrs)


@family("BATCH_MATMUL")
def batch_matmul(draw: Draw, name: str) -> Emitted:
    """A product of stacks of matrices."""
    dtype = draw.one_of("dtype", "int8", "int16", "uint8", "float32", "int32")
    lead = draw.one_of("lead", (1,), (), (3,), (2, 3), (1, 1), (2, 2, 2))
    other = draw.one_of("broadcast", False, True)
    rows, depth, columns = (
        draw.size("rows", 8, 64),
        draw.size("depth", 16, 128, near=(1, 65536)),
        draw.size("columns", 8, 64, near=(1, 65536)),
    )
    if rows * depth * columns > 1 << 24:
        raise Meaningless("a product that takes long")
    adj_x, adj_y = draw.often("adj_x", False, True), draw.often("adj_y", False, True)
    left = (*lead, depth, rows) if adj_x else (*lead, rows, depth)
    right_lead = tuple(1 for _ in lead) if other else lead
    right = (*right_lead, columns, depth) if adj_y else (*right_lead, depth, columns)
    x = feature_map(draw, left, dtype=dtype, name="ifm")
    y = feature_map(draw, right, dtype=dtype, name="ifm2")
    if draw.one_of("second", "run time", "constant") == "constant" and dtype != "float32":
        data = draw.random.integers(-50, 50, right) if dtype[0] != "u" else draw.random.integers(0, 99, right)
        y = Value(y.dtype, y.shape, np.asarray(data, y.dtype), y.quant)
    result = "int32" if draw.one_of("result", "same", "int32") == "int32" else dtype
    ofm = feature_map(draw, (*lead, rows, columns), dtype=result, name="ofm")
    return Emitted(name, (x, y), (ofm,), {"adj_x": adj_x, "adj_y": adj_y})
