"""NonMaxSuppression.

NON_MAX_SUPPRESSION_V4 works on one list of boxes and differs from ONNX in three ways, which are met
before it: it orders equal scores arbitrarily, so that boxes are sorted first and scored by their
rank; it drops a box that reaches the threshold where ONNX drops one that exceeds it; and it removes
what it took by the box's overlap with itself, so that it takes a box without area, or any box at a
threshold of 1, again and again, which is why those move to places where they meet no other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.movement import bitcast
from edgekit.lowering.tflite.ops.selection import top_k
from edgekit.lowering.tflite.table import lowers

_MAX_LISTS = 2048
"""One op is emitted for each batch and class."""


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The candidates of all batches and classes, best first.

    Attributes:
        boxes: Corners y, x, y, x; shape (batch, boxes, 4).
        order: Box numbers, int32; shape (batch, classes, boxes).
        ranks: A score that falls with the place, below 0 for what does not count; like `order`.
    """

    boxes: Value
    order: Value
    ranks: Value


@lowers("NonMaxSuppression", since=10)
def non_max_suppression(b: TFLiteBuilder, n: Op) -> Value:
    """NonMaxSuppression -> NON_MAX_SUPPRESSION_V4 for each batch and class; WHERE collects the results."""
    boxes, scores = b.cast(n.operand(0), np.float32), b.cast(n.operand(1), np.float32)
    batch, classes = scores.shape[:2]
    if batch is None or classes is None:
        n.refuse("the number of batches or classes is known only at run time", code="EK305")
    if batch * classes > _MAX_LISTS:
        n.refuse(f"{batch * classes} pairs of batch and class, each of which takes an op of its own")
    limit = n.const(2)
    if n.input(2) is None or (limit is not None and limit.max() <= 0) or batch * classes == 0:
        return b.const(np.zeros((0, 3), np.int64))
    corners = _from_centres(b, boxes) if n.attr("center_point_box", 0) else boxes
    threshold = _scalar(b, n, 3, 0.0)
    candidates = _sorted(b, _apart(b, corners, threshold), scores, _scalar(b, n, 4, -np.inf))
    numbers, counts = _lists(b, candidates, _limit(b, n), _next_above(b, threshold))
    return _collect(b, numbers, counts, classes)


def _scalar(b: TFLiteBuilder, n: Op, index: int, default: float) -> Value:
    given = n.input(index)
    return b.const(default, np.float32) if given is None else b.reshape(given, ())


def _limit(b: TFLiteBuilder, n: Op) -> Value:
    """How many boxes one list may hold: what is asked for, but no more than there are."""
    known, count = n.const(2), n.operand(1).shape[2]
    if known is not None:
        return b.const(
            min(int(known.reshape(())), np.iinfo(np.int32).max if count is None else count), np.int32
        )
    all_boxes = sz.scalar(b, sz.size_of(b, n.operand(1), 2), np.int64)
    return b.reshape(b.cast(b.binary("MINIMUM", n.operand(2), all_boxes), np.int32), ())


def _next_above(b: TFLiteBuilder, threshold: Value) -> Value:
    """Returns the next number, which only overlaps above the threshold reach; a box reaches 1 with itself."""
    least = float(np.finfo(np.float32).tiny)
    if threshold.data is not None:
        above = np.nextafter(threshold.data, np.float32(np.inf))
        return b.const(np.clip(above, least, 1), np.float32)
    bits = Term(b, bitcast(b, threshold, np.int32)) + 1
    return Term(b, bitcast(b, bits.value, np.float32)).clip(least, 1).value


def _from_centres(b: TFLiteBuilder, boxes: Value) -> Value:
    """Centre x, y, width, height -> corners."""
    x, y, width, height = _columns(b, boxes)
    half_width, half_height = width * 0.5, height * 0.5
    corners = [y - half_height, x - half_width, y + half_height, x + half_width]
    return b.concat([c.value for c in corners], 2)


def _columns(b: TFLiteBuilder, boxes: Value) -> list[Term]:
    results = [(boxes.dtype, (*boxes.shape[:2], 1))] * 4
    return [Term(b, v) for v in b.multi("SPLIT", [b.ints(2), boxes], results, {"num_splits": 4})]


def _apart(b: TFLiteBuilder, boxes: Value, threshold: Value) -> Value:
    """Moves boxes that no box may drop to squares of their own, beyond all others."""
    y1, x1, y2, x2 = _columns(b, boxes)
    is_lone = ((y2 - y1) * (x2 - x1)).equals(0) | (Term(b, threshold) >= 1)
    size = Term(b, boxes).abs().reduce("REDUCE_MAX", [1, 2]) + 1
    number = Term(b, sz.iota(b, sz.size_of(b, boxes, 1), np.float32)).reshape((1, boxes.shape[1], 1))
    far = size * (number * 2 + 1)
    zero = far * 0
    square = b.concat([v.value for v in (far, zero, far + size, zero + size)], 2)
    return is_lone.where(Term(b, square), Term(b, boxes)).value


def _sorted(b: TFLiteBuilder, boxes: Value, scores: Value, threshold: Value) -> _Sorted:
    count = sz.size_of(b, scores, 2)
    values, order = top_k(b, scores, 2, count, largest=True)
    place = Term(b, sz.iota(b, count, np.float32))
    rank = Term(b, sz.scalar(b, count, np.float32)) - place
    ranks = (Term(b, values) > Term(b, threshold)).where(rank, -1)
    return _Sorted(boxes, order, ranks.value)


def _lists(b: TFLiteBuilder, given: _Sorted, limit: Value, threshold: Value) -> tuple[Value, Value]:
    """Returns box numbers, shape (batch * classes, limit), and how many of each row count."""
    batch, classes, _ = given.order.shape
    assert batch is not None
    assert classes is not None
    width = None if limit.data is None else int(limit.data)
    numbers, counts = [], []
    for i in range(batch):
        own = _entry(b, given.boxes, (i,))
        for k in range(classes):
            order, ranks = _entry(b, given.order, (i, k)), _entry(b, given.ranks, (i, k))
            boxes = b.op("GATHER", [own, order], {"axis": 0}, dtype=own.dtype, shape=(*order.shape, 4))
            operands = [boxes, ranks, limit, threshold, b.const(0, np.float32)]
            taken, used = b.multi("NON_MAX_SUPPRESSION_V4", operands, [(np.int32, (width,)), (np.int32, ())])
            number = b.op("GATHER", [order, taken], {"axis": 0}, dtype=np.int32, shape=(width,))
            numbers.append(b.op("EXPAND_DIMS", [number, b.ints(0)], dtype=np.int32, shape=(1, width)))
            counts.append(b.reshape(used, (1, 1)))
    return b.concat(numbers, 0), b.concat(counts, 0)


def _entry(b: TFLiteBuilder, x: Value, at: tuple[int, ...]) -> Value:
    """Picks one entry of the leading axes."""
    rest = x.shape[len(at) :]
    begin = [*at, *(0 for _ in rest)]
    size = [*(1 for _ in at), *(-1 for _ in rest)]
    shape = (*(1 for _ in at), *rest)
    part = b.op("SLICE", [x, b.ints(begin), b.ints(size)], dtype=x.dtype, shape=shape)
    return b.reshape(part, rest)


def _collect(b: TFLiteBuilder, numbers: Value, counts: Value, classes: int) -> Value:
    """Joins what counts of each row with its batch and class; int64, shape (results, 3)."""
    rows, width = numbers.shape
    assert rows is not None
    place = b.reshape(sz.iota(b, sz.size_of(b, numbers, 1)), (1, width))
    places = b.op("WHERE", [b.binary("LESS", place, counts)], dtype=np.int64, shape=(None, 2))
    box = b.op("GATHER_ND", [numbers, places], dtype=np.int32, shape=(None,))
    pairs = b.const([divmod(i, classes) for i in range(rows)], np.int64)
    bounds = [b.ints([0, 0]), b.ints([-1, 1])]
    row = b.op("SLICE", [places, *bounds], dtype=np.int64, shape=(None, 1))
    pair = b.op("GATHER_ND", [pairs, row], dtype=np.int64, shape=(None, 2))
    column = b.op("EXPAND_DIMS", [b.cast(box, np.int64), b.ints(1)], dtype=np.int64, shape=(None, 1))
    return b.concat([pair, column], 1)
