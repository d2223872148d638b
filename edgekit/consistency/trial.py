"""`Bench`: tries ways to quantise one model, each calibrated and judged on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import onnx_ir as ir

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
from edgekit.consistency.data.lazy import Picked
from edgekit.consistency.observed import lowest_tops, means_of, spans_of
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.post_training import Wish, formed
from edgekit.consistency.samples import Sample
from edgekit.consistency.steps import step_of
from edgekit.ir import Model
from edgekit.lowering.onnx.emit import executable
from edgekit.passes.report import PassReport
from edgekit.quantize import (
    Calibration,
    Forms,
    Plan,
    Ranges,
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
        wish: Backend, scheme, calibration, and what stays in float.
        equalise: Whether channels are equalised first.
        bias_correction: Whether biases are corrected for rounded weights.
    """

    wish: Wish
    equalise: bool = False
    bias_correction: bool = False

    @property
    def keep(self) -> frozenset[str]:
        """Names of nodes that stay in float."""
        return self.wish.keep

    @property
    def per_channel(self) -> bool:
        """Whether each output channel of the weights has a scale of its own."""
        return self.wish.scheme.weights is None or self.wish.scheme.weights.per_channel

    def keeping(self, names: frozenset[str]) -> Choice:
        """Returns this choice with further nodes in float."""
        return replace(self, wish=replace(self.wish, keep=self.keep | names))

    def calibrated(self, method: str, percentile: float) -> Choice:
        """Returns this choice with another way to find ranges."""
        how = replace(self.wish.calibration, method=method, percentile=percentile)
        return replace(self, wish=replace(self.wish, calibration=how))

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from other choices of the same scheme."""
        return (self.wish.calibration, self.keep, self.equalise, self.bias_correction)


@dataclass(frozen=True, slots=True)
class Data:
    """Samples and what is known of them.

    Attributes:
        fit: Samples that calibrate.
        judge: Samples that judge.
        labels: The right classes of each sample that judges, or `None`.
        is_held_out: Whether no sample both calibrates and judges.
    """

    fit: Sequence[Sample]
    judge: Sequence[Sample]
    labels: Labels
    is_held_out: bool = False

    @classmethod
    def split(cls, samples: Sequence[Sample], labels: Labels) -> Data:
        """Holds every third sample out to judge, where there are enough; else all do both."""
        if len(samples) < FEWEST:
            return cls(samples, samples, labels)
        judges = range(HELD_OUT - 1, len(samples), HELD_OUT)
        chosen = set(judges)
        fit = Picked(samples, tuple(i for i in range(len(samples)) if i not in chosen))
        return cls(fit, Picked(samples, tuple(judges)), [labels[i] for i in judges], is_held_out=True)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one choice.

    Attributes:
        choice: The choice.
        forms: The quantised model as it is lowered and as it is judged, in opsets that are executed.
        reports: What the passes changed.
        rows: Its outputs against the float model, on the samples that judge.
        drop: How much worse than the float model, as `drop_of`.
        noise: The largest share of noise in the power of an output; decides between equal drops.
    """

    choice: Choice
    forms: Forms
    reports: tuple[PassReport, ...]
    rows: tuple[Accuracy, ...]
    drop: float
    noise: float

    def better_than(self, other: Trial) -> bool:
        """Tells whether this loses less, or as little with less noise."""
        return (self.drop, self.noise) < (other.drop, other.noise)


@dataclass
class Bench:
    """A float model, and data to try quantisations of one scheme on; every choice is tried once.

    Attributes:
        model: The source model.
        plan: The same, ready to be quantised.
        data: The samples.
        runs: How many models were run over samples so far.
        apart: The layers that equalisation left alone, once it was tried.
    """

    model: Model
    plan: Plan
    data: Data
    runs: int = 0
    apart: tuple[Apart, ...] = ()
    _trials: dict[tuple[object, ...], Trial] = field(default_factory=dict)
    _ranges: dict[tuple[bool, Calibration], Ranges] = field(default_factory=dict)
    _equalised: Plan | None = None

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
        key = choice.key
        if key not in self._trials:
            plan, model, reports = self._quantised(choice)
            forms = formed(model, plan, choice.wish)
            rows = self.rows(Form.SIMULATED, forms.reference, self.outputs_of(forms.reference))
            noise = max((noise_of(row) for row in rows), default=0.0)
            self._trials[key] = Trial(choice, forms, reports, rows, self.drop(rows), noise)
        return self._trials[key]

    def quantised(self, choice: Choice) -> tuple[Model, Model]:
        """Returns the float model that a choice comes to, and the quantised one made of it."""
        plan, made, _ = self._quantised(choice)
        return plan.model, made

    def _quantised(self, choice: Choice) -> tuple[Plan, Model, tuple[PassReport, ...]]:
        plan, ranges = self._plan_of(choice), self._ranges_of(choice)
        scheme, keep = choice.wish.scheme, choice.keep
        made, reports = quantize(plan, scheme, ranges, keep)
        if not choice.bias_correction or not self.data.fit:
            return plan, made, reports
        work = plan.model.ir.clone()
        self.runs += 1
        means = means_of(executable(plan.model), self.data.fit, bias_correction.watched(work.graph))
        corrected = bias_correction.call(work, made.ir, means)
        again = replace(plan, model=replace(plan.model, ir=work), reports=(*plan.reports, corrected))
        return again, *quantize(again, scheme, ranges, keep)

    def _ranges_of(self, choice: Choice) -> Mapping[str, tuple[float, float]]:
        if not choice.wish.scheme.is_calibrated:
            return {}
        key = (choice.equalise, choice.wish.calibration)
        if key not in self._ranges:
            plan = self._plan_of(choice)
            self.runs += 1
            model, graph = executable(plan.model), plan.model.ir.graph
            ranges = observe_ranges(model, self.data.fit, observed_names(plan), choice.wish.calibration)
            self._ranges[key] = self._narrowed(choice.wish.scheme, graph, model, ranges)
        return self._ranges[key]

    def _narrowed(self, scheme: Scheme, graph: ir.Graph, model: Model, ranges: Ranges) -> Ranges:
        """Leaves out of the ranges what 8-bit results of functions cannot tell apart."""
        if scheme.activations is None or scheme.activations.numpy.itemsize > 1:
            return ranges
        axes = {name: held.axis for name, held in saturation.softmaxed(graph).items()}
        return saturation.narrowed(graph, ranges, lowest_tops(model, self.data.fit, axes))

    def _plan_of(self, choice: Choice) -> Plan:
        """Returns the float model of a choice: equalised or as it is."""
        if not choice.equalise:
            return self.plan
        if self._equalised is None:
            work = self.plan.model.ir.clone()
            spans = None
            if choice.per_channel and self.data.fit:
                self.runs += 1
                spans = spans_of(executable(self.plan.model), self.data.fit, equalise.watched(work.graph))
            done = equalise.call(work, spans)
            self.apart = done.apart
            reports = (*self.plan.reports, done.report)
            self._equalised = replace(self.plan, model=replace(self.plan.model, ir=work), reports=reports)
        return self._equalised
