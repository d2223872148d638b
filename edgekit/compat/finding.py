"""What judging gives: findings of rules, verdicts of ops and nodes, and the judgement of a model."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from edgekit.diagnostics import Diagnostic
from edgekit.ir import Origin
from edgekit.lowering.ledger import Emitted
from edgekit.target import Basis, Outcome, Source, Target


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule does not hold, or it cannot be told whether it does.

    Attributes:
        outcome: `FAIL` or `UNKNOWN`; a rule that holds finds nothing.
        got: The offending value, or what is not known.
    """

    outcome: Outcome
    got: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A rule on a graph finds that an op runs on the accelerator after all, as a part of another one.

    Attributes:
        by: The op that it becomes a part of.
    """

    by: str


def fails(got: object) -> Finding:
    """Returns the finding that a value breaks the rule."""
    return Finding(Outcome.FAIL, str(got))


def unknown(what: str) -> Finding:
    """Returns the finding that the rule cannot be decided, because something is not known."""
    return Finding(Outcome.UNKNOWN, f"{what} is not known")


class Placement(enum.StrEnum):
    """Where an emitted op runs."""

    ACCELERATED = "accelerated"
    FALLBACK = "fallback"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


class NodeVerdict(enum.StrEnum):
    """What becomes of a source node."""

    NATIVE = "native"
    """Runs on the target as one op, or inside another node's op, or needs none."""
    DECOMPOSED = "decomposed"
    """Runs on the target as several ops."""
    FALLBACK = "fallback"
    """A part of it runs on the CPU."""
    UNSUPPORTED = "unsupported"
    """A part of it runs nowhere."""
    UNKNOWN = "unknown"
    """It cannot be told."""


class Evidence(enum.StrEnum):
    """How far a verdict was carried, the weakest first."""

    DECLARED = "declared"
    LOWERED = "lowered"
    EXECUTED = "executed"
    ON_DEVICE = "on-device"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an op is not accelerated, or why that cannot be told.

    Attributes:
        rule: Name of the rule; `unlisted` where the op is not in the table; `lowering` where it has no ops.
        outcome: Whether it fails or is not known.
        message: The rule as a sentence with its parameters.
        got: The offending value.
        basis: What the statement rests on.
        source: Where it comes from.
        source_key: The key of the source in the descriptor.
        note: What the descriptor says beside it.
    """

    rule: str
    outcome: Outcome
    message: str
    got: str
    basis: Basis | None = None
    source: Source | None = field(default=None, compare=False)
    source_key: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class OpVerdict:
    """What the target says of an emitted op.

    Attributes:
        placement: Where it runs.
        reasons: Every rule that fails or cannot be decided; those that decide the placement first.
        basis: What the row of the table rests on.
        source_key: The source of the row.
    """

    placement: Placement
    reasons: tuple[Reason, ...] = ()
    basis: Basis | None = None
    source_key: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JudgedOp:
    """An emitted op with its verdict.

    Attributes:
        index: Position in execution order, nested graphs behind the op that holds them.
        emitted: The op.
        verdict: What the target says of it.
    """

    index: int
    emitted: Emitted
    verdict: OpVerdict

    @property
    def placement(self) -> Placement:
        """Where it runs."""
        return self.verdict.placement


@dataclass(frozen=True, slots=True, eq=False)
class JudgedNode:
    """A source node with its verdict.

    Attributes:
        name: Id of the node in the source model.
        verdict: What becomes of it.
        ops: The emitted ops that compute it.
        reasons: Every reason of its ops, without repetitions.
        origin: Scope and line where they are known.
    """

    name: str
    verdict: NodeVerdict
    ops: tuple[JudgedOp, ...]
    reasons: tuple[Reason, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a target says of a model.

    Attributes:
        target: The target.
        ops: Every emitted op in execution order.
        nodes: Every source node, in the order in which their ops come.
        evidence: `LOWERED` when the ops were emitted by edgekit or read from a file.
        diagnostics: What the lowering refused.
    """

    target: Target
    ops: tuple[JudgedOp, ...]
    nodes: tuple[JudgedNode, ...]
    evidence: Evidence = Evidence.LOWERED
    diagnostics: tuple[Diagnostic, ...] = ()

    def count(self, placement: Placement) -> int:
        """Returns how many ops have a placement."""
        return sum(op.placement is placement for op in self.ops)

    @property
    def accelerated(self) -> bool:
        """Whether everything is known to run on the accelerator."""
        return all(op.placement is Placement.ACCELERATED for op in self.ops) and not self.diagnostics
