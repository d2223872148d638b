"""Picking elements by index."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.indices import from_front
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("Gather", since=13)
def gather(b: CoreMlBuilder, n: Op) -> Value:
    """Gather -> gather."""
    x, indices = n.operand(0), n.operand(1)
    axis = int(n.attr("axis", 0)) % max(x.rank, 1)
    if x.rank == 1 and x.data is None and indices.data is not None and indices.data.size == 1:
        return _one(b, x, int(indices.data.reshape(())), indices.rank)
    places = from_front(b, indices, sz.size_of(b, x, axis))
    return _kept(b, x, b.moved(x, lambda v: b.op("gather", x=v, indices=places, axis=axis)))


def _one(b: CoreMlBuilder, x: Value, place: int, rank: int) -> Value:
    """One element of a vector, such as one size of a shape, is a slice; its rank is that of the index."""
    place += x.shape[0] or 0 if place < 0 and x.shape[0] is not None else 0
    end = [] if place == -1 else [place + 1]
    one = b.op("slice_by_index", x=x, begin=[place], end=end or [0], end_mask=[not end], begin_mask=[False])
    return _kept(b, x, b.reshape(one, (1,) * rank))


def _kept(b: CoreMlBuilder, x: Value, made: Value) -> Value:
    return b.bounded(made, b.interval(x)) if x.dtype.kind in "iu" else made


@lowers("GatherElements", since=13)
def gather_elements(b: CoreMlBuilder, n: Op) -> Value:
    """GatherElements -> gather_along_axis; other axes are cut to the indices' sizes first."""
    x, indices = n.operand(0), n.operand(1)
    axis = int(n.attr("axis", 0)) % x.rank
    if None in indices.shape or None in x.shape:
        n.refuse("sizes known only at run time", code="EK305")
    places = from_front(b, indices, sz.size_of(b, x, axis))
    ends = [int((x if i == axis else indices).shape[i] or 0) for i in range(x.rank)]
    if ends != list(x.shape):
        x = b.op("slice_by_index", x=x, begin=[0] * x.rank, end=ends)
    return _kept(b, x, b.moved(x, lambda v: b.op("gather_along_axis", x=v, indices=places, axis=axis)))


@lowers("GatherND", since=13)
def gather_nd(b: CoreMlBuilder, n: Op) -> Value:
    """GatherND -> gather_nd; leading batch axes are told by further coordinates."""
    x, indices = n.operand(0), n.operand(1)
    batch = int(n.attr("batch_dims", 0))
    depth = indices.shape[-1]
    if depth is None:
        n.refuse("the length of the coordinates is known only at run time", code="EK305")
    places = from_front(b, indices, [sz.size_of(b, x, batch + i) for i in range(depth)])
    if batch:
        places = _with_batches(b, n, places, batch)
    return _kept(b, x, b.moved(x, lambda v: b.op("gather_nd", x=v, indices=places)))


def _with_batches(b: CoreMlBuilder, n: Op, indices: Value, batch: int) -> Value:
    """Puts the position in the batch axes in front of each coordinate."""
    lead = indices.static_shape
    if lead is None:
        n.refuse("`batch_dims` with sizes known only at run time", code="EK305")
    grids = np.indices(lead[:-1])[:batch]
    columns = np.stack(list(grids), -1).astype(np.int32)
    assert math.prod(columns.shape[:-1]) == math.prod(lead[:-1])
    return b.concat([b.const(columns), indices], len(lead) - 1)


@lowers("ReverseSequence", since=10)
def reverse_sequence(b: CoreMlBuilder, n: Op) -> Value:
    """ReverseSequence -> reverse_sequence."""
    lengths = b.int32(n.operand(1))
    time, batch = int(n.attr("time_axis", 0)), int(n.attr("batch_axis", 1))
    return b.op("reverse_sequence", x=n.operand(0), lengths=lengths, seq_axis=time, batch_axis=batch)


@lowers("OneHot", since=11)
def one_hot(b: CoreMlBuilder, n: Op) -> Value:
    """OneHot -> equal to the positions along a new axis, and select."""
    depth, values = int(n.known(1, "depth").reshape(())), n.operand(2)
    indices = n.operand(0)
    axis = int(n.attr("axis", -1)) % (indices.rank + 1)
    if indices.dtype.kind == "f":
        steps = b.const(np.arange(depth), indices.dtype)
        wrapped = b.select(
            b.binary("less", indices, b.number(0, indices)),
            b.binary("add", indices, b.number(depth, indices)),
            indices,
        )
    else:
        steps, wrapped = b.const(np.arange(depth), np.int32), from_front(b, indices, depth)
    shape = [depth if i == axis else 1 for i in range(indices.rank + 1)]
    hot = b.binary("equal", b.expand_dims(wrapped, [axis]), b.reshape(steps, shape))
    off, on = (b.reshape(_element(b, values, i), ()) for i in (0, 1))
    return b.select(hot, on, off)


def _element(b: CoreMlBuilder, values: Value, index: int) -> Value:
    if values.dtype == np.bool_ and values.data is None:
        return b.cast(sz.element(b, b.cast(values, np.int32), index), np.bool_)
    return sz.element(b, values, index)
