"""What stays in float in the hub, and why, for backends whose lowering does not find it out itself."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic, Severity, Where
from edgekit.ir import Origin, origin_of
from edgekit.passes.edit import is_constant
from edgekit.quantize.roles import Roles, is_fused
from edgekit.quantize.scheme import Form

_RECURRENT = frozenset(("LSTM", "GRU", "RNN"))
_NESTED = frozenset(("If", "Loop", "Scan"))


def islands(graph: ir.Graph, roles: Roles) -> tuple[Diagnostic, ...]:
    """Names the nodes that compute in float although activations are quantised.

    Args:
        graph: The main graph of a prepared model, before insertion.
        roles: The roles of its nodes.

    Returns:
        One warning (EK401) per type of op and reason; none for a scheme that leaves activations in float.
    """
    if roles.scheme.form is not Form.QDQ:
        return ()
    found: dict[tuple[str, str], list[Origin]] = {}
    for node in graph:
        reason = reason_of(node, roles)
        if reason is not None:
            found.setdefault((node.op_type, reason), []).append(origin_of(node))
    return tuple(_warning(op, why, places) for (op, why), places in found.items())


def reason_of(node: ir.Node, roles: Roles) -> str | None:
    """Returns why a node computes in float; `None` if it does not."""
    if roles.role(node) is not None or not _is_real(node):
        return None
    if node.name in roles.kept:
        return "it is kept so on request"
    if node.op_type in _RECURRENT:
        return "recurrent layers are not quantised"
    if node.op_type in _NESTED:
        return "graphs inside it are not quantised"
    return "it has no integer form"


def _is_real(node: ir.Node) -> bool:
    """Tells whether a node computes on reals that are not known beforehand."""
    values = [v for v in (*node.inputs, *node.outputs) if v is not None]
    reals = [v for v in values if v.dtype == ir.DataType.FLOAT and not is_constant(v)]
    fused = node.inputs and node.inputs[0] is not None and is_fused(node.inputs[0])
    return bool(reals) and not fused


def _warning(op: str, reason: str, places: Sequence[Origin]) -> Diagnostic:
    union = Origin()
    for place in places:
        union = union | place
    times = f" ({len(places)} times)" if len(places) > 1 else ""
    return Diagnostic(
        "EK401",
        f"`{op}` stays in float{times}: {reason}",
        Severity.WARNING,
        where=Where(union.file, union.line, union.nodes, union.scope),
        data={"op": op, "count": len(places)},
    )
