"""What an emitted op costs: arithmetic, parameters, bytes moved, and an estimate of its time.

Every figure is a formula over shapes and dtypes, so it is an estimate of what a device must do at least:
each operand is read once and each result is written once, whatever caches and tilings make of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np

from edgekit.compat import macs
from edgekit.lowering.ledger import Emitted, Subgraph, Value

VIEWS: Mapping[str, frozenset[str]] = {
    "tflite": frozenset({"RESHAPE", "EXPAND_DIMS", "SQUEEZE", "BITCAST"}),
    "onnx": frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"}),
    "coreml": frozenset({"reshape", "expand_dims", "squeeze", "identity"}),
}
"""Ops whose result lies where their first operand lies: they move nothing."""

_PICKING: Mapping[str, frozenset[str]] = {
    "tflite": frozenset({"SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "UNPACK", "GATHER", "GATHER_ND"}),
    "onnx": frozenset({"Slice", "Split", "Gather", "GatherND", "GatherElements"}),
    "coreml": frozenset({"slice_by_index", "slice_by_size", "split", "gather", "gather_nd"}),
}
"""Ops that read of their data (operand 0) only what they write."""

_SIZES: Mapping[str, frozenset[str]] = {
    "tflite": frozenset({"SHAPE", "RANK"}),
    "onnx": frozenset({"Shape", "Size"}),
    "coreml": frozenset({"shape"}),
}
"""Ops that read the shape of their operand and none of its elements."""

_TABLES = {"tflite": macs.TFLITE, "onnx": macs.ONNX, "coreml": macs.COREML}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one op, or several, cost.

    Attributes:
        macs: Multiply-accumulate operations; `None` where shapes do not tell.
        elements: Elements that are computed; 0 for views.
        parameters: Elements of constant operands.
        parameter_bytes: Bytes of constant operands.
        moved: Bytes read and written, parameters included; `None` where a size is not known.
    """

    macs: int | None = 0
    elements: int = 0
    parameters: int = 0
    parameter_bytes: int = 0
    moved: int | None = 0

    def __add__(self, other: Cost) -> Cost:
        """Returns the sum; what is not known of one is not known of both."""
        return Cost(
            _sum(self.macs, other.macs),
            self.elements + other.elements,
            self.parameters + other.parameters,
            self.parameter_bytes + other.parameter_bytes,
            _sum(self.moved, other.moved),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def cost_of(dialect: str, op: Emitted) -> Cost:
    """Returns the cost of one op.

    Args:
        dialect: `tflite`, `onnx` or `coreml`.
        op: The op with its operands.

    Returns:
        Its cost. `moved` is the sum of the sizes of its distinct operands and of its results; views move
        nothing, ops that pick elements read what they write, ops on shapes read nothing.
    """
    constants = {id(v): v for v in op.inputs if v is not None and v.data is not None}
    parameters = sum(_elements(v) or 0 for v in constants.values())
    stored = sum(size_of(v) or 0 for v in constants.values())
    if op.op in VIEWS[dialect]:
        return Cost(0, 0, parameters, stored, 0)
    count = macs.count(_TABLES[dialect], _operation(dialect, op))
    elements = sum(_elements(v) or 0 for v in op.outputs)
    return Cost(count, elements, parameters, stored, _moved(dialect, op))


def size_of(value: Value) -> int | None:
    """Returns the bytes that a tensor takes, narrow integers packed; `None` where a size is not known."""
    elements = _elements(value)
    return None if elements is None else -(-elements * bits_of(value.dtype) // 8)


def bits_of(dtype: np.dtype[Any]) -> int:
    """Returns how many bits an element takes in memory; strings count as pointers."""
    if dtype.name in ("int2", "uint2", "int4", "uint4"):
        return int(ml_dtypes.iinfo(dtype).bits)
    return dtype.itemsize * 8


def sizes(value: Value) -> tuple[int | None, ...]:
    """Returns the sizes of a tensor; a batch that is left open counts as 1."""
    return (1, *value.shape[1:]) if value.shape and value.shape[0] is None else value.shape


def _elements(value: Value) -> int | None:
    known = [d for d in sizes(value) if d is not None]
    return math.prod(known) if len(known) == value.rank else None


def _moved(dialect: str, op: Emitted) -> int | None:
    written = _total(op.outputs)
    if op.op in _SIZES[dialect]:
        return written
    operands = list({id(v): v for v in op.inputs if v is not None}.values())
    if op.op in _PICKING[dialect] and operands:
        data, *operands = operands
        written = _sum(written, min(_total(op.outputs) or 0, size_of(data) or 2**63))
    return _sum(written, _total(operands))


def _total(values: Any) -> int | None:
    sizes = [size_of(v) for v in values]
    return None if any(s is None for s in sizes) else sum(s for s in sizes if s is not None)


def _operation(dialect: str, op: Emitted) -> macs.Operation:
    operands = op.inputs
    if dialect == "coreml":
        operands = tuple(parameter(op, name) for name in macs.COREML_OPERANDS.get(op.op, ()))
    shapes = tuple(None if v is None else sizes(v) for v in operands)
    attrs = {key: a for key, a in op.attrs.items() if not isinstance(a, Subgraph)}
    return macs.Operation(op.op, shapes, tuple(map(sizes, op.outputs)), attrs)


def parameter(op: Emitted, name: str) -> Value | None:
    """Returns the operand of a MIL op for one of its parameters, `None` where it has none."""
    index = getattr(op.attrs.get(name), "index", None)
    return op.inputs[index] if isinstance(index, int) else None


ANY = "*"
"""Stands for every dtype that has no number of its own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """How fast a place computes, from the numbers of its descriptor.

    Attributes:
        peak: Operations per second by dtype, or `ANY` (a multiply-accumulate is two).
        bandwidth: Bytes per second between memory and the compute units.
    """

    peak: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    bandwidth: float | None = None


FORMULA = "roofline: max(2 * MACs / peak, bytes moved / bandwidth); elements in place of MACs for other ops"
"""How `seconds` estimates, for the report."""


def seconds(cost: Cost, dtype: str, machine: Machine) -> float | None:
    """Estimates the time of an op by the roofline of a machine (evidence `estimated`).

    Args:
        cost: The op's cost.
        dtype: Name of the dtype that it computes in.
        machine: The machine.

    Returns:
        `max(operations / peak, moved / bandwidth)`, where operations are two for each multiply-accumulate
        and at least one for each element computed; `None` if the machine states neither number, or the
        cost is not known. With one number the estimate rests on it alone.
    """
    peak = machine.peak.get(dtype, machine.peak.get(ANY))
    if cost.macs is None or (machine.bandwidth and cost.moved is None):
        return None
    bounds = []
    if peak:
        bounds.append(max(2 * cost.macs, cost.elements) / peak)
    if machine.bandwidth and cost.moved is not None:
        bounds.append(cost.moved / machine.bandwidth)
    return max(bounds) if bounds else None
