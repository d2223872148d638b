"""Ops in front of a kernel that only move integers, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgekit.ir.ledger import Emitted, Value
from edgekit.runners import Array


def _transpose(op: Emitted, x: Array) -> Array:
    assert op.inputs[1] is not None
    return x.transpose(op.inputs[1].data)


def _reshape(op: Emitted, x: Array) -> Array:
    return x.reshape([-1 if d is None else d for d in op.outputs[0].shape])


def _pad(op: Emitted, x: Array) -> Array:
    quant, pads = op.outputs[0].quant, op.inputs[1]
    assert pads is not None
    assert pads.data is not None
    return np.pad(x, pads.data.tolist(), constant_values=0 if quant is None else quant.zero_point[0])


MOVEMENTS: Mapping[str, Callable[[Emitted, Array], Array]] = {
    "TRANSPOSE": _transpose,
    "RESHAPE": _reshape,
    "PAD": _pad,
}
"""Ops that are followed, by TFLite's name."""


def moved(ops: Sequence[Emitted], arrays: Mapping[Value, Array]) -> dict[Value, Array]:
    """Returns the tensors given and those that ops make of them.

    Args:
        ops: Movements, in order; their sizes and axes are constants.
        arrays: What is given.
    """
    known = dict(arrays)
    for op in ops:
        source = op.inputs[0]
        assert source is not None
        known[op.outputs[0]] = MOVEMENTS[op.op](op, known[source])
    return known
