"""Recognises roundings that fell on the other side: quantised outputs that are off by one step, rarely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.artifact import Delta, Status
from edgekit.consistency.metrics import Pair
from edgekit.ir import Model

RARE = 0.01
"""Fraction of elements. Different orders of summation flip a rounding now and then; a wrong zero point or
rounding mode flips many."""

_SLACK = 1e-3
"""Of a step: how exactly an element must be right or off by one; float32 rounds multiples of the scale."""

# Ops through which values pass as they are.
_TRANSPARENT = frozenset(("Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose"))


def step_of(model: Model, output: str) -> float | None:
    """Returns the distance between neighbouring values of an output that is quantised per tensor.

    Args:
        model: The source model.
        output: Name of one of its outputs.

    Returns:
        The scale behind DequantizeLinear, 1 behind QuantizeLinear; `None` if it is not quantised, or
        not by one constant scale.
    """
    value = next((v for v in model.ir.graph.outputs if v.name == output), None)
    while value is not None:
        node = value.producer()
        if node is None:
            return None
        if node.op_type == "QuantizeLinear":
            return 1.0
        if node.op_type == "DequantizeLinear":
            return scale_behind(node)
        value = node.inputs[0] if node.op_type in _TRANSPARENT else None
    return None


def scale_behind(node: ir.Node) -> float | None:
    """Returns the scale of a DequantizeLinear if it is one constant."""
    scale = None if node.inputs[1] is None else ir.convenience.get_const_tensor(node.inputs[1])
    return float(scale.numpy().reshape(())) if scale is not None and scale.size == 1 else None


FAR = 0.01
"""Fraction of elements of an artifact with integer kernels that may be more than one step off: each kernel
rounds once more or otherwise than the source, and later ops carry that on."""


FINE = 64
"""Steps of 16 bits that count as one: kernels for int16 multiply by numbers of 16 bits, each layer by one
that is off by up to 2^-16; 64 steps are a thousandth of the range, a quarter of a step of 8 bits."""


def allowed_steps(model: Model, output: str) -> int:
    """Returns by how many steps an element of a quantised output may be off: 1, of 16-bit codes `FINE`."""
    value = next((v for v in model.ir.graph.outputs if v.name == output), None)
    node = None if value is None else value.producer()
    while node is not None and node.op_type in _TRANSPARENT and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    if node is None:
        return 1
    return allowed_of(node.inputs[0] if node.op_type == "DequantizeLinear" else node.outputs[0])


def allowed_of(codes: ir.Value | None) -> int:
    """Returns by how many steps codes may be off, as `allowed_steps`."""
    return FINE if codes is not None and codes.dtype in _WIDE else 1


_WIDE = (ir.DataType.INT16, ir.DataType.UINT16)

OFF_GRID, OFF_GRID_HALF = 0.05, 0.15
"""Of a step: how far a value may lie beside the integers that it stands for. Where the scale is kept in
float16, 127 steps are up to 0.06 off by its rounding, and the value is rounded once more."""


def settle_integers(
    delta: Delta, step: float, pairs: Sequence[Pair], allowed: int = 1, *, half: bool = False
) -> Delta:
    """Counts the steps by which integer kernels differ; few may be off by more than is allowed.

    Args:
        delta: The comparison of a quantised output.
        step: As `step_of` returned.
        pairs: The output of the source and the artifact, one pair per sample.
        allowed: Of `allowed_steps`.
        half: Whether the artifact computes in float16 between its integers.

    Returns:
        The delta in steps: a tie if at most `FAR` of the elements differ by more than `allowed`.
    """
    off: list[NDArray[np.float64]] = []
    for reference, actual in pairs:
        if actual is None or actual.shape != reference.shape:
            return delta
        off.append(np.abs(reference.astype(np.float64) - actual.astype(np.float64)).reshape(-1) / step)
    errors = np.concatenate(off)
    if not np.isfinite(errors).all():
        return delta
    whole = np.rint(errors)
    one, more = int((whole == 1).sum()), int((whole > 1).sum())
    note = f"{one} of {errors.size} elements differ by one quantisation step"
    note += f", {more} by up to {int(whole.max())}" if more else ""
    noted = replace(delta, notes=(*delta.notes, note))
    far = int((whole > allowed).sum())
    if far > FAR * errors.size or (np.abs(errors - whole) > (OFF_GRID_HALF if half else OFF_GRID)).any():
        return noted
    return replace(noted, status=Status.TIE, reason=None)


def settle(delta: Delta, step: float, pairs: Sequence[Pair]) -> Delta:
    """Turns a difference into a tie if it is one step, at few elements.

    Args:
        delta: The comparison of a quantised output.
        step: As `step_of` returned.
        pairs: The output of the source and the artifact, one pair per sample.

    Returns:
        The delta with the status `tie`, or as it was.
    """
    off = total = 0
    for reference, actual in pairs:
        if actual is None or actual.shape != reference.shape:
            return delta
        error = np.abs(reference.astype(np.float64) - actual.astype(np.float64))
        is_off = error > step / 2
        if not (np.abs(error - is_off * step) <= step * _SLACK).all():  # NaN is not below anything
            return delta
        off += int(np.count_nonzero(is_off))
        total += reference.size
    if not off or off > max(1, RARE * total):
        return delta
    note = f"{off} of {total} elements differ by one quantisation step"
    return replace(delta, status=Status.TIE, reason=None, notes=(*delta.notes, note))
