"""The samples of a quantisation: which calibrate, which judge; and the whole account of what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.consistency.accuracy import Accuracy, Form, Labels, noise_of
from edgekit.consistency.auto import Tuned, Wanted
from edgekit.consistency.calibrate import MOST, samples_for
from edgekit.consistency.data import Preprocess, is_function
from edgekit.consistency.data.folder import finite
from edgekit.consistency.labelled import golden_file, labelled_samples, labels_beside
from edgekit.consistency.post_training import record
from edgekit.consistency.samples import Samples
from edgekit.consistency.trial import Bench, Data
from edgekit.diagnostics import Diagnostic, EdgekitError, Severity
from edgekit.ir import Model
from edgekit.runners.execute import ArtifactRunner

SCORED = 64
"""Samples at most that judge, where they are those that calibrate too."""


def data_for(
    model: Model,
    calibrate: Any,
    evaluate: Any,
    labels_from: str | None,
    *,
    required: bool,
    hold_out: bool,
    preprocess: Preprocess | None = None,
) -> tuple[Data, Samples]:
    """Finds the samples.

    Args:
        model: The source model.
        calibrate: What to calibrate with; see `calibration_samples`.
        evaluate: What to judge with: a file or arrays; see `labelled_samples`.
        labels_from: The array or column with the labels.
        required: Whether there must be samples to calibrate with.
        hold_out: Whether some samples must judge only, where none are given for that.
        preprocess: What happens to images to calibrate with.

    Returns:
        The samples by what they do, and those to calibrate with as they were found.

    Raises:
        EdgekitError: EK403 without samples, EK505 if they do not fit.
    """
    source = golden_file(model) if calibrate is None else _file(calibrate)
    labels: Labels = ()
    if source is not None and source.suffix == ".csv":
        samples, labels = labelled_samples(model, source, labels_from, MOST)
        for sample in samples.arrays:
            finite(sample)
    else:
        samples = samples_for(model, calibrate, preprocess, required=required) or Samples("none", ())
        count = len(samples.arrays)
        known = source is not None and evaluate is None
        labels = labels_beside(model, source, labels_from, count) if known and source else [None] * count
    if evaluate is not None:
        judge, labels = labelled_samples(model, evaluate, labels_from)
        return Data(samples.arrays, judge.arrays, labels, is_held_out=True), samples
    if hold_out:
        return Data.split(samples.arrays, labels), samples
    return Data(samples.arrays, samples.arrays[:SCORED], labels[:SCORED]), samples


def _file(calibrate: Any) -> Path | None:
    """Returns the file that is given, unless it is a folder, a function, or no path at all."""
    if not isinstance(calibrate, str | Path) or is_function(str(calibrate)) or Path(calibrate).is_dir():
        return None
    return Path(calibrate)


def account(bench: Bench, tuned: Tuned, wanted: Wanted, artifact: Artifact | None) -> Account:
    """Says what a quantisation costs.

    Args:
        bench: The float model and the samples.
        tuned: What was found.
        wanted: What was asked for.
        artifact: What was made of it, to be run; `None` if it should not be.
    """
    if artifact is None or not bench.data.judge:
        reason = "verification was switched off" if artifact is None else "there are no samples"
        return Account(bench, tuned, wanted, (), reason)
    try:
        return Account(bench, tuned, wanted, _executed(bench, tuned, artifact))
    except EdgekitError as problem:
        return Account(bench, tuned, wanted, (), problem.diagnostics[0].message)


def _executed(bench: Bench, tuned: Tuned, artifact: Artifact) -> tuple[Accuracy, ...]:
    """Runs an artifact on the samples that judge.

    Args:
        bench: The float model and the samples.
        tuned: What the artifact was made of.
        artifact: The artifact.

    Returns:
        Its outputs against the float model's.

    Raises:
        EdgekitError: As `ArtifactRunner.run`.
    """
    with ArtifactRunner(artifact, isolate=True, timeout_s=300.0) as runner:
        outputs = [runner.run(sample) for sample in bench.data.judge]
    return bench.rows(Form.EXECUTED, tuned.trial.forms.reference, outputs)


@dataclass(frozen=True, slots=True)
class Account:
    """What a quantisation costs, and whether that is within the budget.

    Attributes:
        bench: The float model and the samples.
        tuned: What was found.
        wanted: What was asked for.
        rows: What the artifact does; empty if it was not run.
        problem: Why it was not run.
    """

    bench: Bench
    tuned: Tuned
    wanted: Wanted
    rows: tuple[Accuracy, ...]
    problem: str | None = None

    @property
    def drop(self) -> float:
        """What is lost: by the artifact where it was run, else by the QDQ model."""
        return self.bench.drop(self.rows) if self.rows else self.tuned.trial.drop

    @property
    def holds(self) -> bool:
        """Whether the budget holds."""
        return self.wanted.max_drop is None or self.drop <= self.wanted.max_drop

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Returns EK405 if the budget does not hold."""
        if self.holds:
            return ()
        assert self.wanted.max_drop is not None
        lost = f"{100 * self.drop:.2f} % instead of at most {100 * self.wanted.max_drop:g} %"
        notes = [] if self.wanted.auto else ["nothing was tried to lose less: `--auto` does"]
        if self.wanted.auto and self.wanted.full_integer:
            notes.append("`--require-full-integer` forbids keeping layers in float")
        return (Diagnostic("EK405", f"quantisation loses {lost}", Severity.ERROR, notes=tuple(notes)),)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form, which the recipe of the artifact holds."""
        tuned, data, choice = self.tuned, self.bench.data, self.tuned.trial.choice
        forms: Sequence[Accuracy] = (*self.bench.plain, *tuned.trial.rows, *self.rows)
        return {
            **record(choice.wish),
            "passes": [asdict(report) for report in tuned.trial.reports],
            "equalised": choice.equalise,
            "bias_corrected": choice.bias_correction,
            "drop": self.drop,
            "noise": max((noise_of(row) for row in self.rows), default=tuned.trial.noise),
            "accuracy": [row.to_dict() for row in forms],
            "judged": {"samples": len(data.judge), "held_out": data.is_held_out, "problem": self.problem},
            "steps": [step.to_dict() for step in tuned.steps] if self.wanted.tries else [],
            "apart": [asdict(one) for one in self.bench.apart],
            "sensitivity": [layer.to_dict() for layer in tuned.layers],
            "kept": [layer.to_dict() for layer in tuned.kept],
            "weights_kept": tuned.weights_kept,
            "budget": None
            if self.wanted.max_drop is None
            else {"max_drop": self.wanted.max_drop, "drop": self.drop, "holds": self.holds},
        }
