"""`Placing`: what rules on the placement of a whole graph see; and how their findings change verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekit.compat.compiled import Table
from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, OpVerdict, Placement, Reason, Taken
from edgekit.compat.rules import graph_rules
from edgekit.lowering.ledger import Value
from edgekit.target import Outcome, RuleUse


class Placing:
    """The ops of a graph in execution order, with where each one is placed so far.

    Attributes:
        facts: The ops.
        placements: Where each runs by its own rules.
        predecessors: For each op, the positions of the ops whose results it reads.
    """

    def __init__(self, facts: Sequence[Facts], predecessors: Sequence[tuple[int, ...]]) -> None:
        self.facts = facts
        self.predecessors = predecessors
        self.placements: list[Placement] = []


def predecessors_of(facts: Sequence[Facts]) -> tuple[tuple[int, ...], ...]:
    """Returns for each op the positions of the ops whose results it reads."""
    made: dict[Value, int] = {}
    before: list[tuple[int, ...]] = []
    for index, op in enumerate(facts):
        found = {made[v] for v in op.emitted.inputs if v is not None and v in made}
        before.append(tuple(sorted(found)))
        made.update(dict.fromkeys(op.emitted.outputs, index))
    return tuple(before)


def placed(verdicts: Sequence[OpVerdict], placing: Placing, table: Table) -> tuple[OpVerdict, ...]:
    """Applies a target's rules on graphs, in their order, to the verdicts of the ops.

    Args:
        verdicts: One per op.
        placing: The graph.
        table: The target's.

    Returns:
        The verdicts, worse or better where a rule on the graph says so.
    """
    result = list(verdicts)
    for use in table.target.graph:
        placing.placements = [v.placement for v in result]
        found: Mapping[int, Finding | Taken] = graph_rules()[use.rule].check(placing, **use.params)
        for index, finding in found.items():
            if isinstance(finding, Taken):
                result[index] = replace(result[index], placement=Placement.ACCELERATED, reasons=())
            else:
                result[index] = _worse(result[index], finding, use, table)
    return tuple(result)


def _worse(verdict: OpVerdict, finding: Finding, use: RuleUse, table: Table) -> OpVerdict:
    outcome = Outcome.UNKNOWN if use.outcome is Outcome.UNKNOWN else finding.outcome
    key = use.source or table.target.source
    reason = Reason(
        use.rule,
        outcome,
        use.message or graph_rules()[use.rule].sentence_for(use.params),
        finding.got,
        use.basis or table.target.basis,
        table.target.sources.get(key),
        key,
        use.note,
    )
    placement = table.failing if outcome is Outcome.FAIL else Placement.UNKNOWN
    if verdict.placement is not Placement.ACCELERATED and outcome is Outcome.UNKNOWN:
        placement = verdict.placement
    return replace(verdict, placement=placement, reasons=(*verdict.reasons, reason))
