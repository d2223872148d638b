"""RELU, RELU6 and RELU_N1_TO_1 become the `fused_activation_function` of the op before them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from edgekit.lowering.ledger import Emitted, Subgraph, Value

_ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1")
_HOSTS = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "FULLY_CONNECTED", "ADD", "SUB", "MUL",
    "DIV", "AVERAGE_POOL_2D", "MAX_POOL_2D",
)  # fmt: skip


def fuse_activations(graph: Subgraph) -> Subgraph:
    """Fuses activations whose operand has no other use.

    Args:
        graph: The graph; nested graphs are left as they are.

    Returns:
        The graph; the tensor between the two ops no longer exists.
    """
    uses = Counter(v for op in graph.ops for v in op.inputs if v is not None)
    uses.update(graph.outputs)
    made: dict[Value, int] = {}
    ops: list[Emitted] = []
    for op in graph.ops:
        host = _host(op, ops, made, uses)
        if host is None:
            made.update({v: len(ops) for v in op.outputs})
            ops.append(op)
            continue
        before = ops[host]
        attrs = {**before.attrs, "fused_activation_function": op.op}
        ops[host] = replace(before, outputs=op.outputs, attrs=attrs, origin=before.origin | op.origin)
        made[op.outputs[0]] = host
    return replace(graph, ops=tuple(ops))


def _host(op: Emitted, ops: list[Emitted], made: dict[Value, int], uses: Counter[Value]) -> int | None:
    """Returns the position of the op that can absorb an activation."""
    x = op.inputs[0] if op.op in _ACTIVATIONS else None
    if x is None or uses[x] != 1 or x not in made:
        return None
    host = ops[made[x]]
    if host.op not in _HOSTS or x.dtype.name != "float32":
        return None
    free = host.attrs.get("fused_activation_function", "NONE") == "NONE"
    return made[x] if free and len(host.outputs) == 1 else None
