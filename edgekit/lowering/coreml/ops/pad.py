"""Pad."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.movement import pad_or_crop, take
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


@lowers("Pad", since=25)
def pad(b: CoreMlBuilder, n: Op) -> Value:
    """Pad -> pad of the last axes, else joined or picked rows; `wrap` -> picked rows."""
    x, counts = n.operand(0), [int(p) for p in n.known(1, "pads")]
    axes = range(x.rank) if n.input(3) is None else [int(a) % x.rank for a in n.known(3, "axes")]
    pads = [(0, 0)] * x.rank
    for i, axis in enumerate(axes):
        pads[axis] = (counts[i], counts[i + len(axes)])
    mode = n.attr("mode", "constant")
    if mode == "wrap":
        return _wrapped(b, n, x, pads)
    fill = n.input(2)
    fill = fill if fill is None else b.reshape(fill, ())
    if x.dtype == np.bool_:
        inner = None if fill is None else b.cast(fill, np.int32)
        return b.cast(pad_or_crop(b, b.cast(x, np.int32), pads, _MODES[mode], inner), np.bool_)
    return pad_or_crop(b, x, pads, _MODES[mode], fill)


def _wrapped(b: CoreMlBuilder, n: Op, x: Value, pads: list[tuple[int, int]]) -> Value:
    for axis, (before, after) in enumerate(pads):
        size = x.shape[axis]
        if (before, after) == (0, 0):
            continue
        if size is None:
            n.refuse("`wrap` around an axis of a size known only at run time", code="EK305")
        first, kept = max(0, -before), size - max(0, -before) - max(0, -after)  # cut off first, then wrapped
        if kept <= 0:
            n.refuse(f"`wrap` of nothing: all {size} elements are cut off")
        x = take(b, x, first + np.arange(-max(0, before), kept + max(0, after)) % kept, axis)
    return x
