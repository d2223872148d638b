"""Ops that read and write at computed places."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.ir import numpy_dtype
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import HALVES, TVMBuilder
from edgekit.lowering.tvm.table import lowers


@lowers("Gather", since=13)
def gather(b: TVMBuilder, n: Op) -> Value:
    """Takes slices of an axis."""
    x = n.operand(0)
    return b.like(n, "gather", [x, n.operand(1)], {"axis": n.attr("axis", 0) % x.rank})


@lowers("GatherElements", since=13)
def gather_elements(b: TVMBuilder, n: Op) -> Value:
    """Takes the element of an axis that the index at the same place names."""
    x = n.operand(0)
    return b.like(n, "gather_elements", [x, n.operand(1)], {"axis": n.attr("axis", 0) % x.rank})


@lowers("GatherND", since=13)
def gather_nd(b: TVMBuilder, n: Op) -> Value:
    """Takes what coordinates name."""
    if n.operand(1).shape[-1] is None:
        n.refuse("the length of the coordinates is known only at run time", code="EK305")
    return b.like(n, "gather_nd", [n.operand(0), n.operand(1)], {"batch_dims": n.attr("batch_dims", 0)})


@lowers("OneHot", since=11)
def one_hot(b: TVMBuilder, n: Op) -> Value:
    """Turns indices into vectors."""
    indices, values = n.operand(0), n.operand(2)
    depth = int(n.known(1, "depth").reshape(()))
    whole = b.cast(indices, np.int64)
    attrs = {"depth": depth, "axis": n.attr("axis", -1) % (indices.rank + 1)}
    return b.like(n, "one_hot", [whole, values], attrs)


@lowers("EyeLike", since=9)
def eye_like(b: TVMBuilder, n: Op) -> Value:
    """Ones on a diagonal of a matrix of the operand's size."""
    x = n.operand(0)
    to = n.attr("dtype")
    dtype = x.dtype if to is None else numpy_dtype(ir.DataType(to))
    wide = np.dtype(np.float32) if dtype.name in ("float16", "bfloat16") else dtype
    attrs = {"k": n.attr("k", 0), "dtype": wide.name}
    return b.cast(b.op("diagonal_matrix", [x], attrs, dtype=wide, shape=x.shape), dtype)


@lowers("ConstantOfShape", since=9)
def constant_of_shape(b: TVMBuilder, n: Op) -> Value:
    """A tensor of one value; its sizes may be computed at run time."""
    given = n.attr("value")
    value = np.zeros((), np.float32) if given is None else given.numpy().reshape(())
    return b.like(n, "fill", [n.operand(0), b.const(value)])


@lowers("Range", since=11)
def range_(b: TVMBuilder, n: Op) -> Value:
    """start, start + delta, ... below a limit; all three may be computed at run time."""
    start, limit, delta = (b.reshape(n.operand(i), ()) for i in range(3))
    if start.dtype.name in HALVES:
        whole = [b.cast(v, np.float32) for v in (start, limit, delta)]
        count = b.op("range_count", whole, dtype=np.int64, shape=(1,))
        real = b.op("range", [whole[0], whole[2], count], dtype=np.float32, shape=n.out_shape())
        return b.cast(real, start.dtype)
    count = b.op("range_count", [start, limit, delta], dtype=np.int64, shape=(1,))
    return b.like(n, "range", [start, delta, count])


_REDUCTIONS = {"none": "set", "add": "add", "mul": "multiply", "max": "maximum", "min": "minimum"}


@lowers("ScatterElements", since=18)
def scatter_elements(b: TVMBuilder, n: Op) -> Value:
    """Writes, or combines, elements at places of an axis."""
    x = n.operand(0)
    attrs = {"axis": n.attr("axis", 0) % x.rank, "how": _REDUCTIONS[n.attr("reduction") or "none"]}
    return _on_copies(b, n, "scatter_elements", attrs)


@lowers("ScatterND", since=18)
def scatter_nd(b: TVMBuilder, n: Op) -> Value:
    """Writes, or combines, slices at coordinates."""
    if n.operand(1).shape[-1] is None:
        n.refuse("the length of the coordinates is known only at run time", code="EK305")
    return _on_copies(b, n, "scatter_nd", {"how": _REDUCTIONS[n.attr("reduction") or "none"]})


def _on_copies(b: TVMBuilder, n: Op, name: str, attrs: dict[str, object]) -> Value:
    """Halves that are combined are combined in float32."""
    x, indices, updates = n.operand(0), n.operand(1), n.operand(2)
    if x.dtype.name in ("float16", "bfloat16") and attrs["how"] != "set":
        wide = [b.cast(x, np.float32), indices, b.cast(updates, np.float32)]
        return b.cast(b.op(name, wide, attrs, dtype=np.float32, shape=x.shape), x.dtype)
    return b.op(name, [x, indices, updates], attrs, dtype=x.dtype, shape=x.shape)


@lowers("TensorScatter", since=24)
def tensor_scatter(b: TVMBuilder, n: Op) -> Value:
    """Replaces entries of a cache from a position on."""
    cache = n.operand(0)
    attrs = {"axis": n.attr("axis", -2) % cache.rank, "circular": n.attr("mode", "linear") == "circular"}
    return b.like(n, "write_rows", [cache, n.operand(1), n.input(2)], attrs)
