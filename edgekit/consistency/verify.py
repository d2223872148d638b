"""`verify`: runs the source model and the artifact on the same inputs and compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact, Verification
from edgekit.ir import Model

Given = str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]]


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
        The verdict. It is never `verified` unless every output was compared.

    Raises:
        EdgekitError: EK505 if the inputs given do not fit the model.
    """
    raise NotImplementedError


def verdict_diagnostics(verification: Verification) -> tuple[Any, ...]:
    """Returns what there is to say: EK601 or EK603 for a mismatch, EK602 where nothing was checked."""
    raise NotImplementedError
