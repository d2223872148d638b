"""Ops that move elements: shapes, slices, joins."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import Untranslatable, translates


@translates("RESHAPE")
def reshape(call: Call) -> ir.Value:
    """RESHAPE -> Reshape; sizes from the operand, else from the options, else from the result."""
    if call.has(1) and call.const(1) is None:
        return call.op("Reshape", call.operand(0), call.int64(1), allowzero=1)
    sizes = call.numbers(1, "sizes") if call.has(1) else call.attr("new_shape")
    if sizes is None:
        sizes = [-1 if d is None else d for d in call.result().shape]
    return call.op("Reshape", call.operand(0), call.ints(sizes), allowzero=1 if 0 in list(sizes) else None)


@translates("SQUEEZE")
def squeeze(call: Call) -> ir.Value:
    """SQUEEZE -> Squeeze; without axes all of size 1."""
    axes = [call.axis(int(a)) for a in call.attr("squeeze_dims") or ()]
    return call.op("Squeeze", call.operand(0), call.ints(axes) if axes else None)


@translates("EXPAND_DIMS")
def expand_dims(call: Call) -> ir.Value:
    """EXPAND_DIMS -> Unsqueeze."""
    return call.op("Unsqueeze", call.operand(0), call.ints(call.numbers(1, "axis")))


@translates("TRANSPOSE")
def transpose(call: Call) -> ir.Value:
    """TRANSPOSE -> Transpose."""
    perm = [call.axis(a) for a in call.numbers(1, "axes")]
    if sorted(perm) != list(range(call.rank())):
        raise Untranslatable(f"{perm} does not permute {call.rank()} axes")
    return call.op("Transpose", call.operand(0), perm=perm)


@translates("CONCATENATION")
def concatenation(call: Call) -> ir.Value:
    """CONCATENATION -> Concat."""
    axis = call.axis(int(call.attr("axis", 0)))
    return call.activated(call.op("Concat", *call.operands(), axis=axis))


@translates("PACK")
def pack(call: Call) -> ir.Value:
    """PACK -> Unsqueeze each, Concat."""
    rank = call.rank() + 1
    axis = int(call.attr("axis", 0))
    if not -rank <= axis < rank:
        raise Untranslatable(f"a tensor of rank {rank} has no axis {axis}")
    where = call.ints([axis % rank])
    return call.op("Concat", *(call.op("Unsqueeze", v, where) for v in call.operands()), axis=axis % rank)


@translates("UNPACK")
def unpack(call: Call) -> list[ir.Value]:
    """UNPACK -> Gather of one index each."""
    axis = call.axis(int(call.attr("axis", 0)))
    count = len(call.emitted.outputs)
    if call.shape()[axis] not in (None, count):
        raise Untranslatable(f"it has {count} results for {call.shape()[axis]} elements")
    parts = call.ops("Split", call.operand(0), outputs=count, axis=axis, num_outputs=count)
    return [call.op("Squeeze", part, call.ints([axis])) for part in parts]


@translates("SPLIT")
def split(call: Call) -> list[ir.Value]:
    """SPLIT -> Split into equal parts; the axis comes first."""
    (axis,) = call.numbers(0, "axis")
    count, axis = len(call.emitted.outputs), call.axis(axis, 1)
    if not count or (call.shape(1)[axis] or 0) % count:
        raise Untranslatable(f"{call.shape(1)[axis]} elements do not split into {count} equal parts")
    return call.ops("Split", call.operand(1), outputs=count, axis=axis, num_outputs=count)


@translates("SPLIT_V")
def split_v(call: Call) -> list[ir.Value]:
    """SPLIT_V -> Split; one size may be left open."""
    sizes, (axis,) = call.numbers(1, "sizes"), call.numbers(2, "axis")
    axis = call.axis(axis)
    whole = call.shape()[axis]
    if -1 in sizes:
        if whole is None:
            raise Untranslatable("a size is left open on an axis known only at run time")
        sizes[sizes.index(-1)] = whole - sum(s for s in sizes if s != -1)
    count = len(call.emitted.outputs)
    return call.ops("Split", call.operand(0), call.ints(sizes), outputs=count, axis=axis)


@translates("SLICE")
def slice_(call: Call) -> ir.Value:
    """SLICE -> Slice; a size of -1 reaches to the end."""
    if call.const(1) is None or call.const(2) is None:
        return _computed_slice(call)
    begins, sizes = call.numbers(1, "begins"), call.numbers(2, "sizes")
    far = np.iinfo(np.int64).max
    ends = [far if s == -1 else b + s for b, s in zip(begins, sizes, strict=True)]
    axes = range(len(begins))
    return call.op("Slice", call.operand(0), call.ints(begins), call.ints(ends), call.ints(axes))


def _computed_slice(call: Call) -> ir.Value:
    begins, sizes = call.int64(1), call.int64(2)
    far, open_ = call.ints([np.iinfo(np.int64).max]), call.ints([-1])
    ends = call.op("Where", call.op("Equal", sizes, open_), far, call.op("Add", begins, sizes))
    return call.op("Slice", call.operand(0), begins, ends, call.ints(range(call.rank())))


@translates("STRIDED_SLICE")
def strided_slice(call: Call) -> ir.Value:
    """STRIDED_SLICE -> Slice, then Squeeze of the axes that shrink."""
    if call.attr("ellipsis_mask", 0) or call.attr("new_axis_mask", 0):
        raise Untranslatable("it has an ellipsis or new axes")
    begins, steps = call.numbers(1, "begins"), call.numbers(3, "strides")
    shrink, begin_mask = call.attr("shrink_axis_mask", 0), call.attr("begin_mask", 0)
    if not len(begins) == len(steps) <= call.rank() or 0 in steps:
        raise Untranslatable("begins and strides do not fit each other, or a stride is 0")
    ends = _ends(call, begins, steps, shrink)
    far = np.iinfo(np.int64).max
    starts = [
        (0 if step > 0 else far) if begin_mask >> i & 1 and not shrink >> i & 1 else begin
        for i, (begin, step) in enumerate(zip(begins, steps, strict=True))
    ]
    axes = call.ints(range(len(begins)))
    y = call.op("Slice", call.operand(0), call.ints(starts), ends, axes, call.ints(steps))
    gone = [i for i in range(len(begins)) if shrink >> i & 1]
    return call.op("Squeeze", y, call.ints(gone)) if gone else y


def _ends(call: Call, begins: list[int], steps: list[int], shrink: int) -> ir.Value:
    mask, count = call.attr("end_mask", 0), len(begins)
    far = np.iinfo(np.int64).max
    if call.const(2) is None:
        if mask or shrink or call.attr("offset", False):
            raise Untranslatable("its ends are computed at run time, and masked")
        return call.int64(2)
    ends = call.numbers(2, "ends")
    if len(ends) != count:
        raise Untranslatable("begins and ends do not fit each other")
    for i in range(count):
        if call.attr("offset", False):
            ends[i] += begins[i]
        if shrink >> i & 1:
            ends[i] = far if begins[i] == -1 else begins[i] + 1
        elif mask >> i & 1:
            ends[i] = far if steps[i] > 0 else -far
    return call.ints(ends)


@translates("GATHER")
def gather(call: Call) -> ir.Value:
    """GATHER -> Gather."""
    if call.attr("batch_dims", 0):
        raise Untranslatable("it gathers per element of a batch")
    axis = call.axis(int(call.attr("axis", 0)))
    return call.op("Gather", call.operand(0), call.int64(1), axis=axis)


@translates("EMBEDDING_LOOKUP")
def embedding_lookup(call: Call) -> ir.Value:
    """EMBEDDING_LOOKUP -> Gather of rows."""
    return call.op("Gather", call.operand(1), call.int64(0), axis=0)


@translates("GATHER_ND")
def gather_nd(call: Call) -> ir.Value:
    """GATHER_ND -> GatherND."""
    return call.op("GatherND", call.operand(0), call.int64(1))


@translates("SCATTER_ND")
def scatter_nd(call: Call) -> ir.Value:
    """SCATTER_ND -> ScatterND that adds to zeros."""
    dtype = call.tensor(1).dtype if call.tensor(1).quant is None else np.dtype(np.float32)
    zeros = call.op("Expand", call.scalar(0, 1), call.int64(2))
    if dtype.kind == "b":
        return call.op("ScatterND", zeros, call.int64(0), call.operand(1))
    return call.op("ScatterND", zeros, call.int64(0), call.operand(1), reduction="add")


@translates("TILE")
def tile(call: Call) -> ir.Value:
    """TILE -> Tile."""
    return call.op("Tile", call.operand(0), call.int64(1))


@translates("BROADCAST_TO")
def broadcast_to(call: Call) -> ir.Value:
    """BROADCAST_TO -> Expand."""
    return call.op("Expand", call.operand(0), call.int64(1))


@translates("REVERSE_V2")
def reverse(call: Call) -> ir.Value:
    """REVERSE_V2 -> Slice with strides of -1."""
    axes = [call.axis(a) for a in call.numbers(1, "axes")]
    low, far = np.iinfo(np.int64).min + 1, np.iinfo(np.int64).max
    bounds = [call.ints([n] * len(axes)) for n in (far, low)]
    return call.op("Slice", call.operand(0), *bounds, call.ints(axes), call.ints([-1] * len(axes)))
