"""`check`: a model against many targets; lowered once for each dialect and form, judged by each target."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgekit.compat.candidate import Candidate, View
from edgekit.compat.causes import Cause, causes
from edgekit.compat.cost import Cost, cost_of
from edgekit.compat.estimate import Coverage, Times, coverage, times, total
from edgekit.compat.finding import JudgedNode, Judgement, NodeVerdict
from edgekit.compat.flow import Crossings, Flow, coded
from edgekit.compat.judge import Subject, judge
from edgekit.compat.memory import MemoryPlan, plan, tflm_arena
from edgekit.compat.partition import Partition, partitions
from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.target import Target


class FailOn(enum.StrEnum):
    """What a model must not have to hold."""

    UNSUPPORTED = "unsupported"
    """Nodes that run nowhere."""
    UNKNOWN = "unknown"
    """These, or nodes of which it cannot be told."""
    FALLBACK = "fallback"
    """Anything that is not known to run on the accelerator."""

    @property
    def verdicts(self) -> frozenset[NodeVerdict]:
        """The verdicts that do not hold."""
        return _FAILING[self]


_FAILING = {
    FailOn.UNSUPPORTED: frozenset({NodeVerdict.UNSUPPORTED}),
    FailOn.UNKNOWN: frozenset({NodeVerdict.UNSUPPORTED, NodeVerdict.UNKNOWN}),
    FailOn.FALLBACK: frozenset({NodeVerdict.UNSUPPORTED, NodeVerdict.UNKNOWN, NodeVerdict.FALLBACK}),
}


@dataclass(frozen=True, slots=True)
class Fit:
    """What a model needs of a memory, against what there is.

    Attributes:
        need: Bytes that the model takes at least.
        have: Bytes of the target; `None` where the descriptor does not say.
    """

    need: int
    have: int | None

    @property
    def fits(self) -> bool | None:
        """Whether it fits; `None` where that is not known."""
        return None if self.have is None else self.need <= self.have


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a target says of the model.

    Attributes:
        target: The target.
        view: The ops that were judged.
        judgement: Verdicts of ops and nodes.
        nodes: Verdicts of the source nodes, in the model's order.
        costs: Costs of the ops.
        times: Estimated times of the ops.
        time: Estimated seconds of a run; `None` without numbers.
        coverage: Where the work is done.
        partitions: What runs in one go.
        crossings: What passes between places.
        memory: The plan of the tensors.
        sram: The arena against the target's memory for activations.
        flash: The parameters against its memory for them.
        causes: Why ops are not accelerated, what to fix first first.
    """

    target: Target
    view: View
    judgement: Judgement
    nodes: tuple[JudgedNode, ...]
    costs: tuple[Cost, ...]
    times: Times
    time: float | None
    coverage: Coverage
    partitions: tuple[Partition, ...]
    crossings: Crossings
    memory: MemoryPlan
    sram: Fit
    flash: Fit
    causes: tuple[Cause, ...]

    def count(self, verdict: NodeVerdict) -> int:
        """Returns how many source nodes have a verdict."""
        return sum(node.verdict is verdict for node in self.nodes)

    def failing(self, on: FailOn) -> tuple[JudgedNode, ...]:
        """Returns the nodes that do not hold."""
        return tuple(node for node in self.nodes if node.verdict in on.verdicts)

    @property
    def full(self) -> bool:
        """Whether everything is known to run on the accelerator, and no memory is known to be too small."""
        kept = all(n.verdict in (NodeVerdict.NATIVE, NodeVerdict.DECOMPOSED) for n in self.nodes)
        return kept and self.sram.fits is not False and self.flash.fits is not False


@dataclass(frozen=True, slots=True, eq=False)
class Skipped:
    """A target that could not judge the model.

    Attributes:
        target: The target.
        diagnostics: Why.
    """

    target: Target
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Compatibility:
    """What targets say of a model.

    Attributes:
        candidate: The model.
        results: One for each target that could judge it.
        skipped: The others.
    """

    candidate: Candidate
    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...] = ()

    def recommended(self) -> tuple[Result, ...]:
        """Returns the targets that run all of the model, the fastest by estimate first."""
        full = [r for r in self.results if r.full]
        return tuple(sorted(full, key=lambda r: (r.time is None, r.time or 0.0, r.target.id)))


@dataclass(slots=True)
class _Shared:
    """What all targets of one view share."""

    view: View
    subject: Subject
    costs: tuple[Cost, ...]
    flow: Flow
    plans: dict[int, MemoryPlan] = field(default_factory=dict)

    @classmethod
    def of(cls, view: View) -> _Shared:
        subject = Subject.of(view.lowered, [n.origin for n in view.nodes])
        ops = [f.emitted for f in subject.facts]
        return cls(view, subject, tuple(cost_of(view.dialect, op) for op in ops), Flow.of(ops))

    def plan(self, alignment: int) -> MemoryPlan:
        if alignment not in self.plans:
            self.plans[alignment] = plan(self.view.lowered.main, self.view.dialect, alignment=alignment)
        return self.plans[alignment]


def check(candidate: Candidate, targets: Sequence[Target], cpus: Iterable[Target] = ()) -> Compatibility:
    """Judges a model by targets.

    Args:
        candidate: The model.
        targets: The targets.
        cpus: Targets that judge what falls back, found by the ids that `Target.cpu` names.

    Returns:
        One result for each target, in their order; a target that cannot see the model is skipped.
    """
    behind = {t.id: t for t in cpus}
    shared: dict[int, _Shared] = {}
    results: list[Result] = []
    skipped: list[Skipped] = []
    for target in targets:
        scheme = target.numerics.scheme if _integers_only(target) else None
        try:
            view = candidate.view(target.dialect, scheme)
        except EdgekitError as failure:
            skipped.append(Skipped(target, failure.diagnostics))
            continue
        if id(view) not in shared:
            shared[id(view)] = _Shared.of(view)
        common = shared[id(view)]
        results.append(_result(target, common, _cpus(target, behind)))
    return Compatibility(candidate, tuple(results), tuple(skipped))


def _integers_only(target: Target) -> bool:
    """Whether a float model must be quantised for the target."""
    taken = target.numerics.activations
    return target.numerics.required or bool(taken and not any("float" in dtype for dtype in taken))


def _cpus(target: Target, known: Mapping[str, Target]) -> tuple[Target, ...]:
    """Returns the CPUs behind a target, each once."""
    found: list[Target] = []
    while target.cpu is not None and target.cpu in known and known[target.cpu] not in found:
        target = known[target.cpu]
        found.append(target)
    return tuple(found)


def _result(target: Target, common: _Shared, cpus: Sequence[Target]) -> Result:
    judgement = judge(common.subject, target, cpus)
    ops, costs, flow = judgement.ops, common.costs, common.flow
    places = coded([op.placement for op in ops])
    known = times(ops, costs, target, cpus[0] if cpus else None)
    memory = common.plan(target.memory.arena_alignment)
    return Result(
        target=target,
        view=common.view,
        judgement=judgement,
        nodes=_in_order(judgement.nodes, common.view),
        costs=costs,
        times=known,
        time=total(places, known, flow, target),
        coverage=coverage(places, costs, known),
        partitions=partitions(ops),
        crossings=flow.crossings(places),
        memory=memory,
        sram=Fit(memory.arena, target.memory.sram),
        flash=Fit(memory.parameters, target.memory.flash),
        causes=causes(ops, costs, known, flow, target),
    )


def _in_order(nodes: Sequence[JudgedNode], view: View) -> tuple[JudgedNode, ...]:
    """Sorts verdicts as the model has its nodes; ops that no node stands behind come last."""
    position = {node.name: i for i, node in enumerate(view.nodes)}
    return tuple(sorted(nodes, key=lambda node: position.get(node.name, len(position))))


__all__ = ["Compatibility", "FailOn", "Fit", "Result", "Skipped", "check", "tflm_arena"]
