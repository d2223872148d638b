"""Sizes as values, and ops that change nothing but the shape."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.movement import cut
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("Identity", since=25)
def identity(b: CoreMlBuilder, n: Op) -> Value:
    """Identity -> the value itself."""
    return n.operand(0)


@lowers("Dropout", since=22)
def dropout(b: CoreMlBuilder, n: Op) -> Value | tuple[Value, Value]:
    """Dropout -> the value itself, for nothing is dropped outside of training."""
    x, training = n.operand(0), n.const(2)
    ratio = n.const(1)
    if n.input(2) is not None and (training is None or training.any()) and (ratio is None or ratio.any()):
        n.refuse("`training_mode` draws at random")
    if not n.has_output(1):
        return x
    return x, sz.filled(b, b.const(np.array(True)), sz.sizes_of(b, x))


@lowers("Shape", since=25)
def shape(b: CoreMlBuilder, n: Op) -> Value:
    """Shape -> shape, and a slice of it."""
    x = n.operand(0)
    start, stop, _ = slice(n.attr("start", 0), n.attr("end")).indices(x.rank)
    if None not in x.shape[start:stop] or start >= stop:
        return b.const(x.shape[start : max(start, stop)], np.int64)
    return b.bounded(b.relabel(cut(b, b.shape_of(x), 0, start, stop), np.int64), sz.LENGTHS)


@lowers("Size", since=25)
def size(b: CoreMlBuilder, n: Op) -> Value:
    """Size -> the product of the sizes."""
    total = sz.product(b, sz.sizes_of(b, n.operand(0)))
    if isinstance(total, int):
        return b.const(total, np.int64)
    return b.bounded(b.relabel(sz.scalar(b, total), np.int64), sz.LENGTHS)


@lowers("Reshape", since=25)
def reshape(b: CoreMlBuilder, n: Op) -> Value:
    """Reshape -> reshape; sizes that are copied are known or measured."""
    x, target = n.operand(0), n.operand(1)
    keep_zero = bool(n.attr("allowzero", 0))
    out = n.out().shape
    if out is not None and out.count(None) <= 1:
        return b.reshape(x, out)
    if target.data is None:
        return b.reshape_to(x, target if keep_zero else _copied(b, x, target), n.out_shape())
    sizes: list[sz.Size] = []
    for axis, wanted in enumerate(target.data.tolist()):
        sizes.append(sz.size_of(b, x, axis) if wanted == 0 and not keep_zero else int(wanted))
    if -1 in sizes:
        return b.reshape_to(x, sz.pack(b, sizes), n.out_shape())
    return sz.reshape(b, x, sizes)


def _copied(b: CoreMlBuilder, x: Value, target: Value) -> Value:
    """Puts the sizes of `x` where a target computed at run time is zero."""
    if target.shape[0] is None or b.interval(target).low > 0:
        return target
    sizes = sz.sizes_of(b, x)[: target.shape[0]]
    own = b.concat([sz.pack(b, sizes), b.ints([0] * (target.shape[0] - len(sizes)))], 0)
    wanted = b.int32(target)
    return b.select(
        b.binary("equal", wanted, b.ints(0)), own if own.shape == wanted.shape else wanted, wanted
    )


@lowers("Flatten", since=25)
def flatten(b: CoreMlBuilder, n: Op) -> Value:
    """Flatten -> reshape to two axes."""
    x = n.operand(0)
    axis = int(n.attr("axis", 1))
    axis += x.rank if axis < 0 else 0
    front, back = x.shape[:axis], x.shape[axis:]
    known = [None if None in part else math.prod(d or 0 for d in part) for part in (front, back)]
    if known.count(None) <= 1:
        return b.reshape(x, known)
    sizes = sz.sizes_of(b, x)
    return sz.reshape(b, x, [sz.product(b, sizes[:axis]), sz.product(b, sizes[axis:])])


@lowers("Squeeze", since=25)
def squeeze(b: CoreMlBuilder, n: Op) -> Value:
    """Squeeze -> squeeze."""
    x = n.operand(0)
    if n.input(1) is None:
        if None in x.shape:
            n.refuse("`axes` are left out and a size is known only at run time", code="EK305")
        axes = [i for i, d in enumerate(x.shape) if d == 1]
    else:
        axes = sorted({int(a) % max(1, x.rank) for a in n.known(1, "axes")})
    if any(x.shape[a] is None for a in axes):
        return sz.reshape(b, x, [s for i, s in enumerate(sz.sizes_of(b, x)) if i not in axes])
    return _kept(b, x, b.squeeze(x, axes))


@lowers("Unsqueeze", since=25)
def unsqueeze(b: CoreMlBuilder, n: Op) -> Value:
    """Unsqueeze -> expand_dims."""
    x, axes = n.operand(0), n.known(1, "axes")
    rank = x.rank + axes.size
    return _kept(b, x, b.expand_dims(x, sorted(int(a) % rank for a in axes.reshape(-1))))


def _kept(b: CoreMlBuilder, x: Value, made: Value) -> Value:
    """Carries what is known of integers over to a value of the same elements."""
    return b.bounded(made, b.interval(x)) if x.dtype.kind in "iu" else made


@lowers("Transpose", since=25)
def transpose(b: CoreMlBuilder, n: Op) -> Value:
    """Transpose -> transpose."""
    x = n.operand(0)
    return b.transpose(x, n.attr("perm", tuple(range(x.rank))[::-1]))


@lowers("Expand", since=13)
def expand(b: CoreMlBuilder, n: Op) -> Value:
    """Expand -> tile, or arithmetic with zeros of a size known only at run time."""
    x, target = n.operand(0), n.operand(1)
    out = n.out_shape()
    if None not in out:
        x = b.expand_rank(x, len(out))
        reps = [int(d or 1) if s == 1 else 1 for s, d in zip(x.shape, out, strict=True)]
        return x if set(reps) <= {1} else b.op("tile", x=x, reps=reps)
    known = None if target.data is None else [int(d) for d in target.data]
    vector = b.int32(target)
    zeros = b.value(np.int32, tuple(known) if known is not None else (None,) * (target.shape[0] or 0))
    b.emit("fill", {"shape": vector, "value": np.int32(0)}, [zeros])
    if x.dtype == np.bool_:
        return b.binary("logical_or", x, b.cast(zeros, np.bool_))
    if x.dtype.kind == "f":
        filler = (b.cast(zeros, x.dtype), b.number(-0.0, x))
        return b.binary("add", x, b.binary("mul", *filler))
    return b.binary("add", x, b.relabel(zeros, x.dtype))


@lowers("Tile", since=13)
def tile(b: CoreMlBuilder, n: Op) -> Value:
    """Tile -> tile."""
    x, reps = n.operand(0), n.operand(1)
    if reps.data is not None:
        return b.op("tile", x=x, reps=[int(r) for r in reps.data]) if x.rank else x
    made = b.value(x.dtype, n.out_shape())
    b.emit("tile", {"x": x, "reps": b.int32(reps)}, [made])
    return made


@lowers("Concat", since=13)
def concat(b: CoreMlBuilder, n: Op) -> Value:
    """Concat -> concat."""
    values = [n.operand(i) for i in range(len(n.inputs))]
    full = [v for v in values if 0 not in v.shape] or values[:1]
    made = b.concat(full, int(n.attr("axis")) % values[0].rank)
    if made.dtype.kind not in "iu":
        return made
    span = b.interval(full[0])
    for value in full[1:]:
        span = span.union(b.interval(value))
    return b.bounded(made, span)


@lowers("Split", since=18)
def split(b: CoreMlBuilder, n: Op) -> tuple[Value, ...]:
    """Split -> split."""
    x = n.operand(0)
    axis = int(n.attr("axis", 0)) % x.rank
    length, count = x.shape[axis], len(n.node.outputs)
    if n.input(1) is not None:
        parts = [int(p) for p in n.known(1, "split")]
    elif length is None:
        n.refuse("equal parts of an axis whose size is known only at run time", code="EK305")
    else:
        size = -(-length // count)
        parts = [min(size, length - i * size) for i in range(count)]
    if count == 1:
        return (x,)
    if x.data is not None:
        return tuple(b.const(p) for p in np.split(x.data, np.cumsum(parts)[:-1], axis))
    full = [p for p in parts if p]
    made = iter(
        [x]
        if len(full) == 1
        else b.multi("split", x=x, split_sizes=full, axis=axis, dtypes=[x.dtype] * len(full))
    )
    return tuple(_kept(b, x, next(made)) if p else _empty(b, n, x, axis) for p in parts)


def _empty(b: CoreMlBuilder, n: Op, x: Value, axis: int) -> Value:
    """A tensor without elements is a constant, which ops that join others leave out."""
    shape = [0 if i == axis else d for i, d in enumerate(x.shape)]
    if None in shape:
        n.refuse("a part without elements of a size known only at run time", code="EK305")
    return b.const(np.zeros([int(d or 0) for d in shape], x.dtype))
