"""`verify`: runs the source model and the artifact on the same inputs and compares."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.artifact import (
    Artifact,
    Delta,
    Divergence,
    Evidence,
    LayerDelta,
    Status,
    Verdict,
    Verification,
    not_verified,
)
from edgekit.consistency import layers, localise, rounding, sequences, steps, tail, ties
from edgekit.consistency.informative import weaknesses
from edgekit.consistency.limits import limits_of
from edgekit.consistency.metrics import Pair, compare_tensor
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.perturbed import PerturbedSource
from edgekit.consistency.randomness import random_outputs
from edgekit.consistency.reference import Reference, Unavailable, run_source
from edgekit.consistency.samples import Given, Sample
from edgekit.consistency.tolerance import (
    default_tolerance,
    dtype_text,
    inner_precisions,
    tolerance_for,
)
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.runners import Array
from edgekit.runners.execute import ArtifactRunner


def verify(
    model: Model,
    artifact: Artifact,
    *,
    inputs: Given | None = None,
    tolerance: float | Mapping[str, float] | None = None,
    samples: int | None = None,
    seed: int = 0,
    isolate: bool = True,
    timeout_s: float = 300.0,
) -> Verification:
    """Compares an artifact with the model that it was made from.

    Args:
        model: The source model as imported.
        artifact: What was made of it.
        inputs: A file (npz, npy, safetensors), one sample or several, by input name; by default the
            golden samples beside the model, else generated data.
        tolerance: Largest error as a fraction of an output's range, for all or by output name.
        samples: How many samples to run; by default 4, more for small models.
        seed: Seed of generated data.
        isolate: Run both models in child processes.
        timeout_s: Longest time for one inference, in seconds.

    Returns:
        The verdict. It is never `verified` unless every output was compared on every sample.

    Raises:
        EdgekitError: EK505 if the inputs given do not fit the model; EK501 for a missing package.
    """
    drawn = random_outputs(model)
    if not model.outputs:
        return not_verified("the source model has no outputs")
    if all(spec.name in drawn for spec in model.outputs):
        return not_verified("every output is drawn at random")
    oracle = Oracle(model, isolate=isolate, timeout_s=timeout_s)
    candidate = ArtifactRunner(artifact, isolate=isolate, timeout_s=timeout_s)
    with contextlib.closing(candidate):
        candidate.start()  # both runtimes boot side by side
        try:
            with oracle:
                reference = run_source(
                    model, oracle, given=inputs, count=samples, seed=seed, limits=limits_of(artifact)
                )
                if states := sequences.states_of(artifact):
                    reference = sequences.fed_back(reference, states, model.inputs, oracle.run)
                with PerturbedSource(model, reference.samples.arrays, isolate=isolate) as again:
                    work = _Work(model, artifact, oracle, candidate, reference, again, tolerance, drawn)
                    return work.verdict()
        except Unavailable as problem:
            return not_verified(str(problem))
        except EdgekitError as problem:
            # Its release: what a damaged process computed proves nothing.
            if problem.diagnostics[0].code != "EK502":
                raise
            return not_verified(f"the source model cannot be trusted: {problem.diagnostics[0].message}")


@dataclass(frozen=True, slots=True)
class _Work:
    """One verification on its way to a verdict."""

    model: Model
    artifact: Artifact
    oracle: Oracle
    candidate: ArtifactRunner
    reference: Reference
    again: PerturbedSource
    asked: float | Mapping[str, float] | None
    drawn: Mapping[str, str]

    def verdict(self) -> Verification:
        """Runs the artifact and compares; an artifact whose release fails is not to be trusted."""
        try:
            with self.candidate:
                states = sequences.states_of(self.artifact)
                actual = sequences.followed(self.reference.samples.arrays, states, self.candidate.run)
                return self._judge(actual)
        except EdgekitError as problem:
            return self._failed(problem)

    def _judge(self, actual: Sequence[Mapping[str, Array]]) -> Verification:
        deltas = [self._delta(spec.name, actual) for spec in self.model.outputs]
        deltas, alone = self._by_layers(deltas, actual)
        wrong = [d for d in deltas if d.status in (Status.DIFFER, Status.MISSING)]
        if wrong:
            divergence, notes = self._divergence(wrong[0])
            reason = f"{_count(len(wrong), 'output')} of {len(deltas)} differ"
            found = self._result(Verdict.MISMATCH, deltas, reason, notes, divergence)
        elif any(not d.status.holds for d in deltas):
            found = self._result(Verdict.UNVERIFIED, deltas, "not every output can be compared")
        else:
            found = self._result(Verdict.VERIFIED, deltas, None)
        return replace(found, layers=alone)

    def _by_layers(
        self, deltas: list[Delta], actual: Sequence[Mapping[str, Array]]
    ) -> tuple[list[Delta], tuple[LayerDelta, ...]]:
        """Looks at every layer with integer kernels alone, where the artifact or the source has such."""
        worst = [d.worst_sample or 0 for d in deltas if d.status is Status.DIFFER]
        work = layers.LayerWork.of(self.model, self.artifact, self.oracle, self.reference, worst)
        if work is None:
            return deltas, ()
        settled = [
            work.settle(d, [given.get(d.tensor) for given in actual]) if d.status is Status.DIFFER else d
            for d in deltas
        ]
        return settled, work.shown

    def _failed(self, problem: EdgekitError) -> Verification:
        """Returns the verdict on an artifact that does not run: it does not do what the source does."""
        first = problem.diagnostics[0]
        if first.code == "EK501":
            raise problem
        notes = tuple(n[:500] for d in problem.diagnostics for n in d.notes)
        reason = f"the artifact does not run: {first.message}"
        same = any(self.candidate.runtime.startswith(f"{name} ") for name in self.oracle.refusals)
        if (
            first.code == "EK504" or same
        ):  # a runtime that refuses the source too says nothing of the artifact
            return self._result(Verdict.UNVERIFIED, (), reason, notes)
        deltas = [
            Delta(spec.name, Status.MISSING, dtype_text(spec.dtype), reason="the artifact does not run")
            for spec in self.model.outputs
        ]
        return self._result(Verdict.MISMATCH, deltas, reason, notes)

    def _result(
        self,
        verdict: Verdict,
        deltas: Sequence[Delta],
        reason: str | None,
        notes: tuple[str, ...] = (),
        divergence: Divergence | None = None,
    ) -> Verification:
        refusals = tuple(f"{name} refuses the source model" for name in self.oracle.refusals)
        caveats = () if self.candidate.caveat is None else (self.candidate.caveat,)
        samples = self.reference.samples
        return Verification(
            verdict=verdict,
            evidence=Evidence.EXECUTED,
            oracle=self.oracle.name,
            runner=self.candidate.runtime,
            deltas=tuple(deltas),
            samples=len(samples.arrays),
            inputs=samples.kind,
            seed=self.reference.seed,
            first_divergence=divergence,
            reason=reason,
            notes=(*caveats, *refusals, *samples.notes, *notes),
        )

    def _delta(self, name: str, actual: Sequence[Mapping[str, Array]]) -> Delta:
        if name in self.drawn:
            reason = f"`{self.drawn[name]}` draws it at random"
            return Delta(name, Status.NOT_COMPARABLE, reason=reason)
        pairs: list[Pair] = [
            (reference[name], given.get(name))
            for reference, given in zip(self.reference.outputs, actual, strict=True)
        ]
        tolerance = tolerance_for(name, self.asked, dtype_text(pairs[0][0].dtype), *self._precisions(name))
        delta = compare_tensor(name, pairs, tolerance)
        if delta.status is Status.DIFFER:
            delta = self._settled(delta, pairs)
        weak = weaknesses(delta, [reference for reference, _ in pairs])
        return replace(delta, notes=(*delta.notes, *weak))

    def _settled(self, delta: Delta, pairs: Sequence[Pair]) -> Delta:
        """Excuses what rounding decides either way: equal scores, steps of quantisation, amplified noise."""
        ranking = ties.ranking_of(self.model, delta.tensor)
        if ranking is not None:
            tolerance = default_tolerance("float32", *self._precisions())
            return ties.settle(delta, ranking, pairs, lambda i: self._scores(i, ranking.scores), tolerance)
        is_integer = bool(self.artifact.recipe.get("integer"))
        step = steps.step_of(self.model, delta.tensor)
        if step is not None:
            if not is_integer:
                return steps.settle(delta, step, pairs)
            settled = steps.settle_integers(delta, step, pairs, half=bool(self.artifact.recipe.get("fp16")))
            function = tail.function_of(self.model, delta.tensor)
            if settled.status.holds or function is None:
                return settled
            return tail.settle(settled, function, pairs, self.reference.samples.arrays, self.oracle, step)
        end = tail.tail_of(self.model, delta.tensor) if is_integer else None
        if end is not None:
            return tail.settle(delta, end, pairs, self.reference.samples.arrays, self.oracle)
        plain = set(self._precisions(delta.tensor)) <= {"float32"} and not self._asks_for(delta.tensor)
        judged = plain and rounding.can_judge(self.model)
        return rounding.settle(delta, pairs, self.again) if judged else delta

    def _asks_for(self, output: str) -> bool:
        """Tells whether the user states the tolerance of an output: then it is held to it."""
        return output in self.asked if isinstance(self.asked, Mapping) else self.asked is not None

    def _precisions(self, name: str = "") -> tuple[str, ...]:
        """Returns the precisions, besides the output's own, that either model computes it in."""
        bound = [
            dtype_text(binding.dtype)
            for spec, binding in zip(self.artifact.outputs, self.artifact.output_bindings, strict=True)
            if spec.name == name
        ]
        half = ["float16"] if self.artifact.recipe.get("fp16") else []
        return (*bound, *half, *inner_precisions(self.model))

    def _scores(self, sample: int, name: str) -> Array | None:
        given = self.reference.samples.arrays[sample]
        if name in given:
            return given[name]
        try:
            return self.oracle.run(given, [name]).get(name)
        except EdgekitError:
            return None  # without the scores a difference stays a difference

    def _divergence(self, wrong: Delta) -> tuple[Divergence | None, tuple[str, ...]]:
        """Looks inside both models on the sample with the largest error."""
        sample = self.reference.samples.arrays[wrong.worst_sample or 0]
        names = [n for n in localise.observable_names(self.model) if n in self.artifact.tensor_map]
        try:
            inside = self.oracle.run(sample, names)
            actual = self.candidate.run(sample, intermediates=names)
        except EdgekitError as problem:
            return None, (f"the first diverging node is not known: {problem.diagnostics[0].message}",)
        found = localise.localise(self.model, inside, actual, self._precisions())
        if found.divergence is not None:
            return found.divergence, ()
        return None, (self._why_nowhere(found),)

    def _why_nowhere(self, found: localise.Localisation) -> str:
        if self.artifact.backend == "tflite":
            return (
                f"all {found.compared} tensors that can be observed agree when XNNPACK is off: "
                "the difference arises in XNNPACK, or between observed tensors"
            )
        return f"all {found.compared} tensors that can be observed agree on the sample looked at"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


__all__ = ["Given", "Sample", "verify"]
