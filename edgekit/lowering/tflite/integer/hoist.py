"""Moves QUANTIZE in front of what only moves elements, so that it stands behind the op that computes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.integer.movement import moved_operands, moves_codes, on_codes

INT8 = np.dtype(np.int8)


SHIFT = 128
"""What codes of uint8 are more than those of int8 for the same reals."""


def as_int8(graph: Subgraph) -> tuple[Subgraph, dict[Value, Value]]:
    """Turns uint8 between QUANTIZE and DEQUANTIZE into int8, whose kernels TFLite has: the codes less 128.

    Returns:
        The graph, and what became of the values that were uint8.
    """
    moved = {v: Value(INT8, v.shape) for v in _free_codes(graph)}
    ops = []
    for op in graph.ops:
        touched = [v for v in (*op.inputs, *op.outputs) if v in moved]
        if touched:
            inputs = tuple(v if v is None else moved.get(v, v) for v in op.inputs)
            outputs = tuple(moved.get(v, v) for v in op.outputs)
            op = replace(op, inputs=inputs, outputs=outputs, attrs=_shifted(op))
        ops.append(op)
    names = {v: name for v, name in graph.names.items() if v not in moved}
    return replace(graph, ops=tuple(ops), names=names), moved


def _free_codes(graph: Subgraph) -> set[Value]:
    """Returns the uint8 values that only QUANTIZE makes and only DEQUANTIZE reads, moved about in between."""
    quants: dict[Value, Quant] = {}
    for op in graph.ops:
        if op.op == "QUANTIZE" and op.outputs[0].dtype == np.uint8:
            quants[op.outputs[0]] = op.attrs["quant"]
        elif moves_codes(op):
            for moved in moved_operands(op).values():
                if moved in quants:
                    quants.update(dict.fromkeys(op.outputs, quants[moved]))
    kept = {v for v in quants if v in graph.outputs}
    for op in reversed(graph.ops):
        plain = moves_codes(op) and not kept.intersection(op.outputs)
        for value in op.inputs:
            if value in quants and not plain and op.attrs.get("quant") != quants[value]:
                kept.add(value)
    # A value that stays keeps what it is moved from and to.
    for op in graph.ops:
        if moves_codes(op) and not kept.isdisjoint(moved_operands(op).values()):
            kept.update(v for v in op.outputs if v in quants)
    return set(quants) - kept


def _shifted(op: Emitted) -> dict[str, Any]:
    if "quant" not in op.attrs:
        return dict(op.attrs)
    quant = op.attrs["quant"]
    return {"quant": replace(quant, zero_point=tuple(z - SHIFT for z in quant.zero_point))}


def hoist(graph: Subgraph, dtype: np.dtype[Any] = INT8) -> Subgraph:
    """Lets QUANTIZE change places with movements, maxima and limits before it; exact, see `movement`.

    Args:
        graph: A graph with markers.
        dtype: Of the codes whose kernels are looked for.

    Returns:
        The graph; limits that saturation implies are gone.
    """
    uses = Counter(v for op in graph.ops for v in op.inputs if v is not None)
    uses.update(graph.outputs)
    # Backwards: what is put in front of an op is looked at again behind the op before it.
    waiting, done = list(graph.ops), []
    while waiting:
        op = waiting.pop()
        before = (
            _maker(op.inputs[0], waiting) if op.op == "QUANTIZE" and op.outputs[0].dtype == dtype else None
        )
        if before is None:
            done.append(op)
            continue
        host = waiting[before]
        if not moved_operands(host) or len(host.outputs) > 1 or uses[host.outputs[0]] != 1:
            done.append(op)
            continue
        waiting.pop(before)
        quant = op.attrs["quant"]
        codes = {i: Value(dtype, v.shape, None, quant) for i, v in moved_operands(host).items()}
        moved = _moved(host, codes, op, quant)
        quantised = [
            Emitted("QUANTIZE", (host.inputs[i],), (code,), op.attrs, op.origin) for i, code in codes.items()
        ]
        waiting[before:before] = quantised
        # The ops between read neither; the movement may come last.
        done.extend(reversed(moved))
    return replace(graph, ops=tuple(reversed(done)))


def _maker(value: Value | None, ops: list[Emitted]) -> int | None:
    return next((i for i in range(len(ops) - 1, -1, -1) if value in ops[i].outputs), None)


def _moved(host: Emitted, codes: dict[int, Value], op: Emitted, quant: Quant) -> list[Emitted]:
    made = on_codes(host, codes, op.outputs, quant)
    origin = host.origin | op.origin
    return [replace(part, origin=origin) for part in made]


__all__ = ["as_int8", "hoist"]
