"""Artifacts on inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Artifact


def open(directory: str | Path) -> Artifact:
    """Reads an artifact that `Artifact.save` wrote and checks its hashes.

    Args:
        directory: The artifact's directory.

    Returns:
        The artifact.

    Raises:
        EdgekitError: EK507 if it is damaged or is not an artifact.
    """
    return Artifact.open(directory)


def run(
    artifact: Artifact | str | Path, inputs: Mapping[str, NDArray[Any]], *, isolate: bool = True
) -> dict[str, np.ndarray[Any, Any]]:
    """Runs an artifact in the terms of its source model.

    Args:
        artifact: An artifact or its directory.
        inputs: One array for each input of the source model, in its names, layout and dtypes.
        isolate: Run in a child process, so that a runtime that aborts does no harm.

    Returns:
        The source model's outputs by name, in its order, layout and dtypes.

    Raises:
        EdgekitError: EK505 if the inputs do not fit, EK50x if the runtime fails.
    """
    from edgekit.runners import runner_for
    from edgekit.runners.execute import run_artifact

    opened = artifact if isinstance(artifact, Artifact) else open(artifact)
    with runner_for(opened.backend, isolate=isolate) as runner:
        return run_artifact(opened, inputs, runner)
