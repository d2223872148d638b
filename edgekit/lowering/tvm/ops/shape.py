"""Ops that view, move and repeat elements."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.table import lowers


@lowers("Reshape", since=14)
def reshape(b: TVMBuilder, n: Op) -> Value:
    """Reshape; sizes computed at run time become symbols."""
    x, sizes = n.operand(0), n.operand(1)
    shape = n.out_shape()
    if None not in shape:
        return b.reshape(x, shape)
    return b.like(n, "reshape", [x, sizes], {"allowzero": bool(n.attr("allowzero", 0))})


@lowers("Flatten", since=13)
def flatten(b: TVMBuilder, n: Op) -> Value:
    """(product of the axes before, product of those from `axis` on)."""
    x = n.operand(0)
    axis = n.attr("axis", 1)
    axis = axis + x.rank if axis < 0 else axis
    front, back = _total(x.shape[:axis]), _total(x.shape[axis:])
    if front is None and back is None:
        n.refuse("both sizes of the result are known only at run time", code="EK305")
    return b.reshape(x, (front, back))


def _total(sizes: tuple[int | None, ...]) -> int | None:
    known = [d for d in sizes if d is not None]
    return int(np.prod(known, dtype=np.int64)) if len(known) == len(sizes) else None


@lowers("Transpose", since=13)
def transpose(b: TVMBuilder, n: Op) -> Value:
    """Permutes the axes; by default reverses them."""
    x = n.operand(0)
    return b.transpose(x, n.attr("perm") or range(x.rank)[::-1])


@lowers("Squeeze", since=13)
def squeeze(b: TVMBuilder, n: Op) -> Value:
    """Removes axes of size 1."""
    x = n.operand(0)
    if n.input(1) is not None:
        axes = [int(a) % x.rank for a in n.known(1, "axes").reshape(-1)]
    elif None in x.shape:
        n.refuse("which axes have the size 1 is known only at run time", code="EK305")
    else:
        axes = [i for i, d in enumerate(x.shape) if d == 1]
    return b.squeeze(x, axes)


@lowers("Unsqueeze", since=13)
def unsqueeze(b: TVMBuilder, n: Op) -> Value:
    """Inserts axes of size 1."""
    x = n.operand(0)
    axes = n.known(1, "axes").reshape(-1)
    return b.unsqueeze(x, [int(a) % (x.rank + len(axes)) for a in axes])


@lowers("Shape", since=13)
def shape(b: TVMBuilder, n: Op) -> Value:
    """The sizes from `start` to `end` as int64."""
    x = n.operand(0)
    start, end, _ = slice(n.attr("start", 0), n.attr("end", None)).indices(x.rank)
    sizes = x.shape[start:end]
    if None not in sizes:
        return b.ints([d for d in sizes if d is not None])
    return b.op("shape_of", [x], {"start": start, "end": end}, dtype=np.int64, shape=(len(sizes),))


@lowers("Size", since=13)
def size(b: TVMBuilder, n: Op) -> Value:
    """The number of elements as int64."""
    x = n.operand(0)
    if x.static_shape is not None:
        return b.const(np.prod(x.static_shape, dtype=np.int64))
    sizes = b.op("shape_of", [x], {"start": 0, "end": x.rank}, dtype=np.int64, shape=(x.rank,))
    return b.reduce("reduce_product", sizes, [0], keep=False)


@lowers("Expand", since=13)
def expand(b: TVMBuilder, n: Op) -> Value:
    """Broadcasts to a shape, and the shape to the operand."""
    return b.like(n, "broadcast_to", [n.operand(0), n.operand(1)])


@lowers("Tile", since=13)
def tile(b: TVMBuilder, n: Op) -> Value:
    """Repeats along every axis."""
    return b.like(n, "tile", [n.operand(0), n.operand(1)])


@lowers("Concat", since=13)
def concat(b: TVMBuilder, n: Op) -> Value:
    """Joins operands along an axis."""
    parts = [n.operand(i) for i in range(len(n.inputs))]
    axis = n.attr("axis") % parts[0].rank
    parts = [p for p in parts if p.shape[axis] != 0] or parts[:1]
    return b.concat(parts, axis)


@lowers("Split", since=18)
def split(b: TVMBuilder, n: Op) -> tuple[Value | None, ...]:
    """Cuts an axis into parts of given sizes, or of equal ones with a smaller last."""
    x = n.operand(0)
    axis, count = n.attr("axis", 0) % x.rank, len(n.node.outputs)
    length = x.shape[axis]
    if n.input(1) is not None:
        sizes = [int(s) for s in n.known(1, "split")]
    elif length is None:
        n.refuse("equal parts of a size known only at run time", code="EK305")
    else:
        part = -(-length // count)
        sizes = [max(0, min(part, length - i * part)) for i in range(count)]
    ends = np.cumsum(sizes).tolist()
    return tuple(
        b.slice(x, axis, end - size, end) if n.has_output(i) else None
        for i, (size, end) in enumerate(zip(sizes, ends, strict=True))
    )


@lowers("Slice", since=13)
def slice_(b: TVMBuilder, n: Op) -> Value:
    """Takes every `step`-th element of some axes; bounds may be computed at run time."""
    x, begins = n.operand(0), n.operand(1)
    count = begins.shape[0]
    if count is None:
        n.refuse("how many axes are sliced is known only at run time", code="EK305")
    axes = [int(a) % x.rank for a in (range(count) if n.input(3) is None else n.known(3, "axes"))]
    steps = b.ints([1] * count) if n.input(4) is None else n.operand(4)
    return b.like(n, "slice", [x, begins, n.operand(2), steps], {"axes": axes})


@lowers("Pad", since=18)
def pad(b: TVMBuilder, n: Op) -> Value:
    """Pads or crops axes."""
    x, pads, fill = n.operand(0), n.operand(1), n.input(2)
    axes = [int(a) % x.rank for a in (range(x.rank) if n.input(3) is None else n.known(3, "axes"))]
    mode = n.attr("mode") or "constant"
    return b.like(n, "pad", [x, pads, fill if mode == "constant" else None], {"mode": mode, "axes": axes})


@lowers("DepthToSpace", since=13)
def depth_to_space(b: TVMBuilder, n: Op) -> Value:
    """Moves channels into blocks of space."""
    attrs = {"block": n.attr("blocksize"), "columns_first": n.attr("mode", "DCR") == "CRD"}
    return b.like(n, "depth_to_space", [n.operand(0)], attrs)


@lowers("SpaceToDepth", since=13)
def space_to_depth(b: TVMBuilder, n: Op) -> Value:
    """Moves blocks of space into channels."""
    attrs = {"block": n.attr("blocksize"), "columns_first": n.attr("mode", "DCR") == "CRD"}
    return b.like(n, "space_to_depth", [n.operand(0)], attrs)


@lowers("Trilu", since=14)
def trilu(b: TVMBuilder, n: Op) -> Value:
    """Keeps a triangle of the last two axes."""
    return b.like(n, "triangle", [n.operand(0), n.input(1)], {"upper": bool(n.attr("upper", 1))})


@lowers("ReverseSequence", since=10)
def reverse_sequence(b: TVMBuilder, n: Op) -> Value:
    """Reverses the beginning of each sequence of a batch."""
    attrs = {"batch_axis": n.attr("batch_axis", 1), "time_axis": n.attr("time_axis", 0)}
    return b.like(n, "reverse_sequence", [n.operand(0), n.operand(1)], attrs)
