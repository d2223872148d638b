"""What the layers of a quantised model say of differences at its outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.artifact import Artifact, LayerDelta
from edgekit.consistency.layers.compare import compare_layers
from edgekit.consistency.layers.cut import uncovered
from edgekit.consistency.layers.run import run_layers
from edgekit.consistency.layers.stage import Stage
from edgekit.consistency.samples import Sample
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model


@dataclass(frozen=True, slots=True)
class Evidence:
    """The layers of one TFLite graph against the QDQ model.

    Attributes:
        layers: Each layer alone.
        missing: Ops that no layer holds: what they do was not looked at.
        misfits: Tensors whose scale or zero point is not that of the QDQ model.
        problem: Why the layers could not be run; `None` if they were.
    """

    layers: tuple[LayerDelta, ...] = ()
    missing: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def holds(self) -> bool:
        """Whether every op was looked at, and every layer does what the QDQ model does, or its rule."""
        whole = bool(self.layers) and not self.missing and not self.misfits
        return whole and all(layer.holds for layer in self.layers)

    def summary(self) -> str:
        """Returns the evidence in one sentence."""
        if self.problem is not None:
            return f"the layers cannot be run alone: {self.problem}"
        if self.misfits:
            return f"the scale or zero point of `{self.misfits[0]}` is not that of the QDQ model"
        bad = [layer for layer in self.layers if not layer.holds]
        if bad:
            worst = max(bad, key=lambda layer: layer.differing / max(1, layer.elements))
            return f"{len(bad)} of {len(self.layers)} layers alone differ beyond rounding, `{worst.op}` most"
        if self.missing:
            return f"{', '.join(self.missing)}: not looked at alone, for the QDQ model has not their operands"
        rules = Counter(layer.rule for layer in self.layers if layer.rule is not None)
        named = "".join(f"; {count} {name}" for name, count in rules.items())
        return f"each of {len(self.layers)} layers alone is within one step or rounds as documented{named}"


def evidence_of(
    model: Model, stage: Stage, samples: Sequence[Sample], *, isolate: bool = True, timeout_s: float = 300.0
) -> Evidence:
    """Runs every layer of a TFLite graph alone on the integers of the QDQ model.

    Args:
        model: The hub model.
        stage: The graph and its tensors that the hub has.
        samples: Inputs of the model.
        isolate: Run in child processes.
        timeout_s: Longest time for one inference, in seconds.
    """
    try:
        trials = run_layers(model, stage, samples, isolate=isolate, timeout_s=timeout_s)
    except EdgekitError as failure:
        return Evidence(problem=failure.diagnostics[0].message)
    return Evidence(compare_layers(stage, trials), uncovered(stage, trials), stage.misfits())


def artifact_stage(model: Model, artifact: Artifact) -> Stage | None:
    """Returns the graph of an artifact with integer kernels, `None` for any other."""
    is_integer = artifact.backend == "tflite" and artifact.recipe.get("integer")
    return Stage.of_artifact(model, artifact) if is_integer else None
