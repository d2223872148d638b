"""The verdict on an artifact with compressed weights, and what the compression costs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.artifact import Artifact, Verdict, Verification
from edgekit.consistency.limits import limits_of
from edgekit.consistency.loss import Loss, losses_between
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.reference import Unavailable, run_source
from edgekit.consistency.samples import Given
from edgekit.consistency.sequences import fed_back, followed, states_of
from edgekit.consistency.verify import verify
from edgekit.ir import Model
from edgekit.runners.execute import ArtifactRunner, payload_of
from edgekit.runners.mil_reference.compressed import Compressed, compare
from edgekit.runners.mil_reference.model import MilModel

_SCORED = 16
"""How many samples show the cost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of an artifact whose weights are compressed.

    Attributes:
        verification: The verdict.
        made: For the recipe: how many weights were compressed, bytes before and after, the cost by output.
    """

    verification: Verification
    made: dict[str, Any]


def verify_compressed(
    model: Model,
    artifact: Artifact,
    dense: Artifact,
    *,
    inputs: Given | None = None,
    tolerance: float | Mapping[str, float] | None = None,
) -> Outcome:
    """Verifies in two steps: the artifact before compression against the source, then the compression.

    Compression changes numbers on purpose, so that the source is no measure of it. What it may change is
    known: each weight within the numbers that store it, and nothing else.

    Args:
        model: The source model.
        artifact: The artifact with compressed weights.
        dense: The same before compression.
        inputs: As `verify`.
        tolerance: As `verify`, for the artifact before compression.

    Returns:
        The verdict and the cost. The cost never decides.
    """
    found = verify(model, dense, inputs=inputs, tolerance=tolerance)
    compression = _compression(artifact, dense)
    costs = _costs(model, artifact, inputs) if found.verdict is not Verdict.MISMATCH else ()
    made = {
        "weights": compression.weights,
        "bytes": sum(f.size for f in artifact.files),
        "bytes_before": sum(f.size for f in dense.files),
        "loss": [one.to_dict() for one in costs],
    }
    if compression.faults:
        reason = f"compression: {compression.faults[0]}"
        notes = (*found.notes, *compression.faults[1:10])
        return Outcome(replace(found, verdict=Verdict.MISMATCH, reason=reason, notes=notes), made)
    note = (
        f"the figures are those before compression; all of {compression.weights} compressed weights lie "
        "within the numbers that store them, and nothing else changed"
    )
    return Outcome(replace(found, notes=(note, *found.notes)), made)


def _compression(artifact: Artifact, dense: Artifact) -> Compressed:
    with payload_of(artifact) as after, payload_of(dense) as before:
        assert not isinstance(after, bytes)
        assert not isinstance(before, bytes)
        return compare(MilModel(before).function, MilModel(after).function)


def _costs(model: Model, artifact: Artifact, inputs: Given | None) -> tuple[Loss, ...]:
    states = states_of(artifact)
    with (
        Oracle(model, isolate=True, timeout_s=300.0) as oracle,
        contextlib.suppress(Unavailable),  # then there is no verdict either, and no cost to tell
    ):
        reference = run_source(model, oracle, given=inputs, count=_SCORED, seed=0, limits=limits_of(artifact))
        if states:
            reference = fed_back(reference, states, model.inputs, oracle.run)
        with ArtifactRunner(artifact) as running:
            found = followed(reference.samples.arrays, states, running.run)
        return losses_between([spec.name for spec in model.outputs], reference.outputs, found)
    return ()
