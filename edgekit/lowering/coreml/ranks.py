"""Tensors of more than five axes: only between a reshape and a transpose that coremltools splits."""

from __future__ import annotations

from collections import defaultdict

from edgekit.diagnostics import Where, error
from edgekit.lowering.coreml.builder import MAX_RANK
from edgekit.lowering.ledger import Emitted, Subgraph, Value


def check_ranks(main: Subgraph) -> None:
    """Refuses a tensor of higher rank that is not the inside of reshape, transpose, reshape.

    Raises:
        EdgekitError: EK302, naming the nodes.
    """
    uses: dict[Value, list[Emitted]] = defaultdict(list)
    makers: dict[Value, Emitted] = {}
    for op in main.ops:
        for value in op.inputs:
            if value is not None:
                uses[value].append(op)
        makers.update(dict.fromkeys(op.outputs, op))
    for op in main.ops:
        for value in op.outputs:
            if value.rank > MAX_RANK and not _inside(value, op, uses, makers, main):
                raise error(
                    "EK302",
                    f"a tensor of {value.rank} axes cannot be lowered to coreml, it takes at most {MAX_RANK}",
                    where=Where(op.origin.file, op.origin.line, op.origin.nodes, op.origin.scope),
                )


def _inside(
    value: Value, op: Emitted, uses: dict[Value, list[Emitted]], makers: dict[Value, Emitted], main: Subgraph
) -> bool:
    """Tells whether a tensor lies on a chain reshape, transpose, reshape that nothing else looks into."""
    if value in main.outputs or len(uses[value]) != 1 or value.static_shape is None:
        return False
    source = op.inputs[0]
    if op.op == "reshape":
        return uses[value][0].op == "transpose"
    return source in makers and makers[source].op == "reshape" and uses[value][0].op == "reshape"
