"""Padding, and blocks of space moved to the batch or to the channels."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import Untranslatable, translates


@translates("PAD", "PADV2")
def pad(call: Call) -> ir.Value:
    """PAD and PADV2 -> Pad with zero or a number."""
    if call.const(1) is None:
        pads = call.op("Reshape", call.op("Transpose", call.int64(1), perm=[1, 0]), call.ints([-1]))
    else:
        pads = call.ints(np.transpose(_pairs(call)))
    fill = call.op("Reshape", call.operand(2), call.ints([])) if call.has(2) else call.scalar(0)
    return call.op("Pad", call.operand(0), pads, fill)


def _pairs(call: Call) -> list[list[int]]:
    flat = call.numbers(1, "pads")
    if len(flat) != 2 * call.rank() or min(flat, default=0) < 0:
        raise Untranslatable(f"{flat} are no pads of {call.rank()} axes")
    return [flat[i : i + 2] for i in range(0, len(flat), 2)]


@translates("MIRROR_PAD")
def mirror_pad(call: Call) -> ir.Value:
    """MIRROR_PAD -> Pad that reflects; one that repeats the edge -> Gather of mirrored indices."""
    pairs, y = _pairs(call), call.operand(0)
    if call.attr("mode") == "REFLECT":
        return call.op("Pad", y, call.ints(np.transpose(pairs)), mode="reflect")
    for axis, ((before, after), size) in enumerate(zip(pairs, call.shape(), strict=True)):
        if not before and not after:
            continue
        if size is None:
            raise Untranslatable("it mirrors an axis of a size known only at run time")
        order = np.pad(np.arange(size), (before, after), mode="symmetric")
        y = call.op("Gather", y, call.ints(order), axis=axis)
    return y


@translates("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def space_and_depth(call: Call) -> ir.Value:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE -> ONNX's, whose order of channels is TFLite's."""
    call.images(0)
    kind = "SpaceToDepth" if call.emitted.op == "SPACE_TO_DEPTH" else "DepthToSpace"
    size = int(call.attr("block_size", 0))
    if size < 1:
        raise Untranslatable(f"a block of size {size}")
    return call.to_last(call.op(kind, call.to_first(call.operand(0)), blocksize=size))


@translates("SPACE_TO_BATCH_ND")
def space_to_batch(call: Call) -> ir.Value:
    """SPACE_TO_BATCH_ND -> Pad, Reshape, Transpose, Reshape."""
    blocks, flat = call.numbers(1, "blocks"), call.numbers(2, "pads")
    count, rest = len(blocks), call.shape()[1 + len(blocks) :]
    sizes = [d or 0 for d in call.shape()[1 : 1 + count]]
    if 0 in sizes or None in rest or len(flat) != 2 * count:
        raise Untranslatable("its sizes are known only at run time, or do not fit its blocks")
    befores, afters = flat[0::2], flat[1::2]
    none = [0] * (call.rank() - 1 - count)
    x = call.op("Pad", call.operand(0), call.ints([0, *befores, *none, 0, *afters, *none]), call.scalar(0))
    padded = [s + b + a for s, b, a in zip(sizes, befores, afters, strict=True)]
    if any(p % b for p, b in zip(padded, blocks, strict=True)):
        raise Untranslatable(f"{padded} is no multiple of the blocks {blocks}")
    inner = [n for p, b in zip(padded, blocks, strict=True) for n in (p // b, b)]
    x = call.op("Reshape", x, call.ints([-1, *inner, *(d or 0 for d in rest)]))
    in_block, across = [2 + 2 * i for i in range(count)], [1 + 2 * i for i in range(count)]
    tail = [1 + 2 * count + i for i in range(len(rest))]
    x = call.op("Transpose", x, perm=[*in_block, 0, *across, *tail])
    cells = [p // b for p, b in zip(padded, blocks, strict=True)]
    return call.op("Reshape", x, call.ints([-1, *cells, *(d or 0 for d in rest)]))


@translates("BATCH_TO_SPACE_ND")
def batch_to_space(call: Call) -> ir.Value:
    """BATCH_TO_SPACE_ND -> Reshape, Transpose, Reshape, Slice."""
    blocks, flat = call.numbers(1, "blocks"), call.numbers(2, "crops")
    count, rest = len(blocks), call.shape()[1 + len(blocks) :]
    cells = [d or 0 for d in call.shape()[1 : 1 + count]]
    if 0 in cells or None in rest or len(flat) != 2 * count:
        raise Untranslatable("its sizes are known only at run time, or do not fit its blocks")
    tail = [d or 0 for d in rest]
    x = call.op("Reshape", call.operand(0), call.ints([*blocks, -1, *cells, *tail]))
    pairs = [n for i in range(count) for n in (count + 1 + i, i)]
    x = call.op("Transpose", x, perm=[count, *pairs, *(2 * count + 1 + i for i in range(len(tail)))])
    whole = [c * b for c, b in zip(cells, blocks, strict=True)]
    x = call.op("Reshape", x, call.ints([-1, *whole, *tail]))
    if not any(flat):
        return x
    ends = [w - after for w, after in zip(whole, flat[1::2], strict=True)]
    return call.op("Slice", x, call.ints(flat[0::2]), call.ints(ends), call.ints(range(1, 1 + count)))
