"""`Bench`: tries ways to quantise one model, each calibrated and judged on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from edgekit.consistency.accuracy import (
    Accuracy,
    Form,
    Labels,
    Outputs,
    accuracies,
    drop_of,
    has_scores,
    noise_of,
)
from edgekit.consistency.calibrate import observe_ranges
from edgekit.consistency.observed import lowest_tops, means_of, spans_of
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.samples import Sample
from edgekit.consistency.steps import step_of
from edgekit.ir import Model
from edgekit.lowering.onnx.emit import executable
from edgekit.passes.report import PassReport
from edgekit.quantize import (
    Calibration,
    Plan,
    Scheme,
    bias_correction,
    equalise,
    observed_names,
    quantize,
    saturation,
)
from edgekit.quantize.pairs import Apart

HELD_OUT = 3
"""Every third sample judges and does not calibrate."""
FEWEST = 12
"""Samples from which some are held out."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to quantise a model.

    Attributes:
        scheme: The integers.
        calibration: How ranges are found.
        equalise: Whether channels are equalised first.
        bias_correction: Whether biases are corrected for rounded weights.
        keep: Names of nodes that stay in float.
    """

    scheme: Scheme
    calibration: Calibration
    equalise: bool = False
    bias_correction: bool = False
    keep: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Data:
    """Samples and what is known of them.

    Attributes:
        fit: Samples that calibrate.
        judge: Samples that judge.
        labels: The right classes of each sample that judges, or `None`.
    """

    fit: tuple[Sample, ...]
    judge: tuple[Sample, ...]
    labels: Labels

    @property
    def is_held_out(self) -> bool:
        """Whether no sample both calibrates and judges."""
        return not {id(s) for s in self.fit} & {id(s) for s in self.judge}

    @classmethod
    def split(cls, samples: Sequence[Sample], labels: Labels) -> Data:
        """Holds every third sample out to judge, where there are enough; else all do both."""
        if len(samples) < FEWEST:
            return cls(tuple(samples), tuple(samples), labels)
        judges = range(HELD_OUT - 1, len(samples), HELD_OUT)
        chosen = set(judges)
        fit = tuple(s for i, s in enumerate(samples) if i not in chosen)
        return cls(fit, tuple(samples[i] for i in judges), [labels[i] for i in judges])


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one choice.

    Attributes:
        choice: The choice.
        model: The QDQ model, in an opset that ONNX Runtime executes.
        reports: What the passes changed.
        rows: Its outputs against the float model, on the samples that judge.
        drop: How much worse than the float model, as `drop_of`.
        noise: The largest share of noise in the power of an output; decides between equal drops.
    """

    choice: Choice
    model: Model
    reports: tuple[PassReport, ...]
    rows: tuple[Accuracy, ...]
    drop: float
    noise: float

    def better_than(self, other: Trial) -> bool:
        """Tells whether this loses less, or as little with less noise."""
        return (self.drop, self.noise) < (other.drop, other.noise)


@dataclass
class Bench:
    """A float model, and data to try quantisations on; every choice is tried once.

    Attributes:
        model: The source model.
        plan: The same, ready to be quantised.
        data: The samples.
        runs: How many models were run over samples so far.
    """

    model: Model
    plan: Plan
    data: Data
    runs: int = 0
    apart: tuple[Apart, ...] = ()
    _trials: dict[Choice, Trial] = field(default_factory=dict)
    _ranges: dict[tuple[bool, bool, Calibration], Mapping[str, tuple[float, float]]] = field(
        default_factory=dict
    )
    _equalised: dict[bool, Plan] = field(default_factory=dict)

    @cached_property
    def reference(self) -> Outputs:
        """The float model's outputs on the samples that judge."""
        return self.outputs_of(self.model)

    @cached_property
    def plain(self) -> tuple[Accuracy, ...]:
        """The float model beside itself: right answers are what is told."""
        return accuracies(Form.FLOAT, self.reference, self.reference, self.data.labels, {})

    def outputs_of(self, model: Model) -> Outputs:
        """Runs a model on the samples that judge."""
        self.runs += 1
        names = [spec.name for spec in model.outputs]
        with Oracle(model, isolate=True, timeout_s=300.0) as oracle:
            found = [oracle.run(sample) for sample in self.data.judge]
        return [{name: one[name] for name in names} for one in found]

    def rows(self, form: Form, qdq: Model, outputs: Outputs) -> tuple[Accuracy, ...]:
        """Compares outputs with the float model's.

        Args:
            form: What made the outputs.
            qdq: The QDQ model, which tells the steps.
            outputs: One mapping per sample that judges.
        """
        steps = {spec.name: step for spec in qdq.outputs if (step := step_of(qdq, spec.name)) is not None}
        return accuracies(form, self.reference, outputs, self.data.labels, steps)

    def drop(self, rows: Sequence[Accuracy]) -> float:
        """Returns how much worse than the float model a form is; see `drop_of`."""
        return drop_of(rows, self.plain, scores=has_scores(self.model))

    def tried(self, choice: Choice) -> Trial:
        """Quantises the model and runs it on the samples that judge.

        Raises:
            EdgekitError: EK403 if nothing is left to quantise; as `Runner.run`.
        """
        if choice not in self._trials:
            _, model, reports = self._quantised(choice)
            runnable = executable(model)
            rows = self.rows(Form.SIMULATED, runnable, self.outputs_of(runnable))
            noise = max((noise_of(row) for row in rows), default=0.0)
            self._trials[choice] = Trial(choice, runnable, reports, rows, self.drop(rows), noise)
        return self._trials[choice]

    def quantised(self, choice: Choice) -> tuple[Model, Model]:
        """Returns the float model that a choice comes to, and the QDQ model made of it, as the hub has them."""
        return self._quantised(choice)[:2]

    def plan_of(self, choice: Choice) -> Plan:
        """Returns the float model of a choice: equalised or as it is."""
        return self._equalised_plan(choice.scheme.per_channel) if choice.equalise else self.plan

    def _quantised(self, choice: Choice) -> tuple[Model, Model, tuple[PassReport, ...]]:
        plan, ranges = self.plan_of(choice), self._ranges_of(choice)
        made, reports = quantize(plan, choice.scheme, ranges, choice.keep)
        if not choice.bias_correction:
            return plan.model, made, reports
        work = plan.model.ir.clone()
        self.runs += 1
        means = means_of(executable(plan.model), self.data.fit, bias_correction.watched(work.graph))
        corrected = bias_correction.call(work, made.ir, means)
        again = replace(plan, model=replace(plan.model, ir=work), reports=(*plan.reports, corrected))
        return again.model, *quantize(again, choice.scheme, ranges, choice.keep)

    def _ranges_of(self, choice: Choice) -> Mapping[str, tuple[float, float]]:
        key = (choice.equalise, choice.equalise and choice.scheme.per_channel, choice.calibration)
        if key not in self._ranges:
            plan = self.plan_of(choice)
            self.runs += 1
            model, graph = executable(plan.model), plan.model.ir.graph
            ranges = observe_ranges(model, self.data.fit, observed_names(plan), choice.calibration)
            axes = {name: held.axis for name, held in saturation.softmaxed(graph).items()}
            tops = lowest_tops(model, self.data.fit, axes)
            self._ranges[key] = saturation.narrowed(graph, ranges, tops)
        return self._ranges[key]

    def _equalised_plan(self, per_channel: bool) -> Plan:
        if per_channel not in self._equalised:
            work = self.plan.model.ir.clone()
            spans = None
            if per_channel:
                self.runs += 1
                spans = spans_of(executable(self.plan.model), self.data.fit, equalise.watched(work.graph))
            done = equalise.call(work, spans)
            self.apart = done.apart
            self._equalised[per_channel] = replace(
                self.plan,
                model=replace(self.plan.model, ir=work),
                reports=(*self.plan.reports, done.report),
            )
        return self._equalised[per_channel]
