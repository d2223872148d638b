"""Ops on sizes, and tensors made of numbers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import translates


@translates("SHAPE", on_codes=True)
def shape(call: Call) -> ir.Value:
    """SHAPE -> Shape in the dtype of the result."""
    sizes = call.op("Shape", call.operand(0))
    return sizes if call.result().dtype == np.int64 else call.cast(sizes, call.result().dtype)


@translates("RANK", on_codes=True)
def rank(call: Call) -> ir.Value:
    """RANK -> the number of axes, or Size of Shape."""
    return call.cast(call.op("Size", call.op("Shape", call.operand(0))), call.result().dtype)


@translates("FILL")
def fill(call: Call) -> ir.Value:
    """FILL -> Expand."""
    return call.op("Expand", call.operand(1), call.int64(0))


@translates("RANGE")
def range_(call: Call) -> ir.Value:
    """RANGE -> Range."""
    return call.op("Range", *call.operands())


@translates("ONE_HOT")
def one_hot(call: Call) -> ir.Value:
    """ONE_HOT -> OneHot; an index below zero is none, where ONNX counts from the end."""
    off_on = [call.op("Reshape", call.operand(i), call.ints([1])) for i in (3, 2)]
    depth = call.op("Reshape", call.int64(1), call.ints([]))
    index = call.int64(0)
    index = call.op("Where", call.op("Less", index, call.ints([0])), depth, index)
    return call.op("OneHot", index, depth, call.op("Concat", *off_on, axis=0), axis=call.attr("axis", -1))


@translates("WHERE")
def where(call: Call) -> ir.Value:
    """WHERE of one operand -> NonZero, one row per element."""
    return call.op("Transpose", call.op("NonZero", call.operand(0)), perm=[1, 0])
