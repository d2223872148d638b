"""Every layer with integer kernels alone, on the integers of the QDQ model, in steps."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.artifact import Artifact, LayerDelta
from edgekit.consistency.layers.compare import compare_layers
from edgekit.consistency.layers.run import run_layers
from edgekit.consistency.layers.stage import Stage
from edgekit.consistency.samples import Sample
from edgekit.ir import Model


def stage_of(model: Model, artifact: Artifact) -> Stage | None:
    """Returns the TFLite graph to look at layer by layer.

    Args:
        model: The source model.
        artifact: What was made of it.

    Returns:
        The artifact's where it has integer kernels, else the source's where that is a TFLite file; `None`
        where neither is so.
    """
    if artifact.backend == "tflite":
        return Stage.of_artifact(artifact) if artifact.recipe.get("integer") else None
    return Stage.of_source(model) if model.source == "tflite" and model.path is not None else None


def layer_deltas(
    model: Model, stage: Stage, samples: Sequence[Sample], *, isolate: bool = True, timeout_s: float = 300.0
) -> tuple[LayerDelta, ...]:
    """Runs and compares every layer; see `run_layers` and `compare_layers`."""
    return compare_layers(stage, run_layers(model, stage, samples, isolate=isolate, timeout_s=timeout_s))


__all__ = ["Stage", "compare_layers", "layer_deltas", "run_layers", "stage_of"]
