"""Runs an artifact in the terms of its source model: names, layout, dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.artifact import Artifact
from edgekit.runners.base import Array, Runner


def run_artifact(
    artifact: Artifact,
    inputs: Mapping[str, Array],
    runner: Runner,
    *,
    intermediates: Sequence[str] = (),
) -> dict[str, Array]:
    """Runs an artifact on inputs of its source model.

    Args:
        artifact: The artifact.
        inputs: One array for each input of the source model, in its names, layout and dtypes.
        runner: What runs the artifact's backend (`runner_for`).
        intermediates: Further tensors of the source model, by their names there.

    Returns:
        The source model's outputs, and the intermediates that could be observed, in the source
        model's names, order, layout and dtypes.

    Raises:
        EdgekitError: As `Runner.run`.
    """
    raise NotImplementedError
