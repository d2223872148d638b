"""What stays in float in a quantised model, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.diagnostics import Diagnostic, Severity, Where
from edgekit.ir import Origin
from edgekit.lowering.ledger import Emitted, Subgraph, Value

CODES = tuple(map(np.dtype, (np.int8, np.uint8, np.int16)))
"""Dtypes of integers that stand for reals."""


@dataclass(frozen=True, slots=True)
class Island:
    """An op that computes in float.

    Attributes:
        op: TFLite's name of it.
        origin: The source nodes that it computes.
        reason: Why it has no integer form.
    """

    op: str
    origin: Origin
    reason: str


def islands(graph: Subgraph, reasons: Mapping[Value, str]) -> tuple[Island, ...]:
    """Finds the ops that compute in float, besides conversions at the public inputs and outputs.

    Args:
        graph: The final graph.
        reasons: Why an op with a rule stays in float, by its first result.

    Returns:
        One entry per op, in order.
    """
    return tuple(
        Island(op.op, op.origin, reasons.get(op.outputs[0], _default(op)))
        for op in graph.ops
        if _is_float(op) and not _is_edge(op, graph)
    )


def _is_float(op: Emitted) -> bool:
    values = [v for v in (*op.inputs, *op.outputs) if v is not None]
    return any(v.dtype.kind == "f" for v in values)


def _is_edge(op: Emitted, graph: Subgraph) -> bool:
    if op.op == "QUANTIZE":
        return op.inputs[0] in graph.inputs
    return op.op == "DEQUANTIZE" and op.outputs[0] in graph.outputs


def _default(op: Emitted) -> str:
    if op.op in ("QUANTIZE", "DEQUANTIZE"):
        return "it borders on an op that stays in float"
    if any(v is not None and v.dtype in CODES and v.quant is not None for v in op.inputs):
        return "there is no integer form for this combination of dtypes"
    return "it does not lie between quantised tensors, or has no integer form"


def diagnostics(found: Sequence[Island], required: bool) -> tuple[Diagnostic, ...]:
    """Returns one diagnostic per op and reason, naming the nodes.

    Args:
        found: What stays in float.
        required: Whether that is an error (EK402) or a warning (EK401).
    """
    causes: dict[tuple[str, str], list[Origin]] = {}
    for island in found:
        causes.setdefault((island.op, island.reason), []).append(island.origin)
    return tuple(_diagnostic(op, reason, places, required) for (op, reason), places in causes.items())


def _diagnostic(op: str, reason: str, places: Sequence[Origin], required: bool) -> Diagnostic:
    union = Origin()
    for place in places:
        union = union | place
    times = f" ({len(places)} times)" if len(places) > 1 else ""
    return Diagnostic(
        "EK402" if required else "EK401",
        f"`{op}` stays in float{times}: {reason}",
        Severity.ERROR if required else Severity.WARNING,
        where=Where(union.file, union.line, union.nodes, union.scope),
        data={"op": op, "count": len(places)},
    )


def nothing_quantised() -> Diagnostic:
    """Returns the error of a model in which nothing computes in integers."""
    return Diagnostic("EK402", "no op of the model computes in integers", Severity.ERROR,
                      help="quantise the model first: `edgekit quantize`")  # fmt: skip
