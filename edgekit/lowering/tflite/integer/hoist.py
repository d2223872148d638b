"""Moves QUANTIZE in front of what only moves elements, so that it stands behind the op that computes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.integer.movement import code_of, data_operands, on_codes

INT8 = np.dtype(np.int8)


def as_int8(graph: Subgraph) -> Subgraph:
    """Turns uint8 between QUANTIZE and DEQUANTIZE into int8, whose kernels TFLite has: the codes less 128."""
    users: dict[Value, list[Emitted]] = {}
    for op in graph.ops:
        for value in op.inputs:
            if value is not None:
                users.setdefault(value, []).append(op)
    moved: dict[Value, Value] = {}
    ops = []
    for op in graph.ops:
        result = op.outputs[0]
        if op.op == "QUANTIZE" and result.dtype == np.uint8 and result not in graph.outputs:
            readers = users.get(result, [])
            if all(u.op == "DEQUANTIZE" and u.attrs == op.attrs for u in readers):
                moved[result] = Value(INT8, result.shape)
                op = replace(op, outputs=(moved[result],), attrs=_shifted(op))
        elif op.op == "DEQUANTIZE" and op.inputs[0] in moved:
            op = replace(op, inputs=(moved[op.inputs[0]],), attrs=_shifted(op))
        ops.append(op)
    names = {moved.get(v, v): name for v, name in graph.names.items() if v not in moved}
    return replace(graph, ops=tuple(ops), names=names)


def _shifted(op: Emitted) -> dict[str, Quant]:
    quant = op.attrs["quant"]
    return {"quant": replace(quant, zero_point=tuple(z - 128 for z in quant.zero_point))}


def hoist(graph: Subgraph) -> Subgraph:
    """Lets QUANTIZE change places with movements, maxima and limits before it; exact, see `movement`.

    Args:
        graph: A graph with markers.

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
            _maker(op.inputs[0], waiting) if op.op == "QUANTIZE" and op.outputs[0].dtype == INT8 else None
        )
        if before is None:
            done.append(op)
            continue
        host = waiting[before]
        places = data_operands(host)
        if not places or len(host.outputs) > 1 or uses[host.outputs[0]] != 1:
            done.append(op)
            continue
        waiting.pop(before)
        quant = op.attrs["quant"]
        codes = {i: Value(INT8, host.inputs[i].shape) for i in places}  # type: ignore[union-attr]
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


__all__ = ["as_int8", "code_of", "hoist"]
