"""NonMaxSuppression, as a loop over the boxes that each class may keep.

MIL's own non_maximum_suppression is not used: it keeps a box whose score equals the threshold, leaves open
what it gives where nothing is kept and how it orders equal scores, and suppresses over classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.graphs import while_loop
from edgekit.lowering.coreml.movement import cut
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_LOWEST = -3.0e38
"""Stands for a score of minus infinity, which marks boxes that are out."""
Box = Sequence[Term]
"""Lower and upper corner: x, y, x, y."""


@lowers("NonMaxSuppression", since=10)
def non_max_suppression(b: CoreMlBuilder, n: Op) -> Value:
    """NonMaxSuppression -> while_loop that keeps the best box of every class and drops what overlaps it."""
    boxes, scores = n.operand(0), n.operand(1)
    shape = scores.static_shape
    if shape is None or boxes.static_shape is None:
        n.refuse("boxes or scores of a size known only at run time", code="EK305")
    batch, classes, count = shape
    limit = n.known(2, "max_output_boxes_per_class").reshape(-1) if n.input(2) is not None else np.zeros(1)
    most = min(int(limit[0]), count)
    if most <= 0:
        n.refuse("no box is asked for; Core ML has no tensors without elements", code="EK305")
    corners = [_wide(b, c, classes) for c in _corners(b, boxes, centres=bool(n.attr("center_point_box", 0)))]
    alive = Term(b, scores).maximum(_LOWEST)
    if n.input(4) is not None:
        passes = Term(b, scores) > Term(b, b.reshape(n.operand(4), (1, 1, 1)))
        alive = passes.where(alive, -math.inf)
    overlap = b.const(np.float32(0)) if n.input(3) is None else n.operand(3)
    chosen = b.const(np.full((batch, classes, most), -1, np.int32))
    state = [b.const(0, np.int32), chosen, alive.value, *corners, b.reshape(overlap, (1, 1, 1))]
    specs = [(v.dtype, v.shape) for v in state]
    chosen = while_loop(b, state, specs, _proceed, _step)[1]
    return _collected(b, chosen)


def _corners(b: CoreMlBuilder, boxes: Value, *, centres: bool) -> list[Value]:
    """Returns x and y of the lower and of the upper corner, each (batch, boxes, 1)."""
    first, second, third, fourth = (Term(b, cut(b, boxes, 2, i, i + 1)) for i in range(4))
    if centres:
        x, y, width, height = first, second, third * 0.5, fourth * 0.5
        return [c.value for c in (x - width, y - height, x + width, y + height)]
    lower = second.minimum(fourth), first.minimum(third)
    upper = second.maximum(fourth), first.maximum(third)
    return [c.value for c in (*lower, *upper)]


def _wide(b: CoreMlBuilder, corner: Value, classes: int) -> Value:
    """Gives a corner to every class: (batch, classes, boxes)."""
    turned = b.transpose(corner, [0, 2, 1])
    return turned if classes == 1 else b.op("tile", x=turned, reps=[1, classes, 1])


def _proceed(c: CoreMlBuilder, state: list[Value]) -> Value:
    """Goes on while a class may keep more boxes and some class has any left."""
    number, chosen, alive = state[:3]
    left = Term(c, alive).reduce("reduce_max", [0, 1, 2], keep=False) > -math.inf
    return ((Term(c, number) < float(chosen.shape[2] or 0)) & left).value


def _step(c: CoreMlBuilder, state: list[Value]) -> Sequence[Value]:
    """Keeps the best box of every class; what overlaps it, and itself, is out."""
    number, chosen, alive, *corners, overlap = state
    scores, count = Term(c, alive), alive.shape[2] or 0
    best = c.op("reduce_argmax", dtype=np.int32, x=alive, axis=2, keep_dims=True)
    found = scores.reduce("reduce_max", [2]) > -math.inf
    slots = Term(c, c.const(np.arange(chosen.shape[2] or 0).reshape(1, 1, -1), np.int32))
    here = slots.equals(Term(c, number))
    kept = (here & found).where(Term(c, best), Term(c, chosen))
    one = [Term(c, c.op("gather_along_axis", x=corner, indices=best, axis=2)) for corner in corners]
    drops = _overlaps([Term(c, v) for v in corners], one, Term(c, overlap))
    places = Term(c, c.const(np.arange(count).reshape(1, 1, -1), np.int32))
    out = drops | places.equals(Term(c, best))
    after = out.where(-math.inf, scores)
    return [(Term(c, number) + 1).value, kept.value, after.value, *corners, overlap]


def _overlaps(many: Box, one: Box, threshold: Term) -> Term:
    """Tells which boxes overlap one of their class by more than a threshold; boxes without area do not."""
    width = many[2].minimum(one[2]) - many[0].maximum(one[0])
    height = many[3].minimum(one[3]) - many[1].maximum(one[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (many, one)]
    common = width * height
    union = areas[0] + areas[1] - common
    sound = (width > 0) & (height > 0) & (areas[0] > 0) & (areas[1] > 0) & (union > 0)
    return sound & (common / sound.where(union, 1) > threshold)


def _collected(b: CoreMlBuilder, chosen: Value) -> Value:
    """Returns (batch, class, box) of every box that was kept, in the order of batches, classes and scores."""
    _, classes, most = chosen.shape
    flat = b.reshape(chosen, (math.prod(d or 1 for d in chosen.shape),))
    places = b.op("non_zero", dtype=np.int32, x=(Term(b, flat) >= 0).value)
    place = Term(b, b.squeeze(places, [1]))
    row = place // float(most or 1)
    box = Term(b, b.op("gather", x=flat, indices=place.value, axis=0))
    columns = (row // float(classes or 1), row % float(classes or 1), box)
    made = b.concat([b.expand_dims(c.value, [1]) for c in columns], 1)
    return b.bounded(b.relabel(made, np.int64), sz.LENGTHS)
