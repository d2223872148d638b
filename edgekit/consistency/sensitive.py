"""Finds the nodes of a model that lose too much in float16."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.artifact import Artifact
from edgekit.consistency.limits import limits_of
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.reference import run_source
from edgekit.consistency.samples import Given, Sample
from edgekit.diagnostics import Diagnostic, Severity
from edgekit.ir import Model
from edgekit.runners.execute import payload_of, to_artifact
from edgekit.runners.mil_reference.model import MilModel
from edgekit.runners.mil_reference.replay import half_losses, producers

THRESHOLDS = (1e-2, 1e-3)
"""Largest loss of an op that is left in float16, as a fraction of its result's range; then stricter."""
_SAMPLES = 3


def sensitive_nodes(
    model: Model, exact: Artifact, threshold: float, *, inputs: Given | None = None
) -> tuple[str, ...]:
    """Finds nodes whose ops lose more than a threshold, and those that make what such ops take.

    Each op is replayed in float16 on the values of the program in float32, so that its own loss shows and
    not what it inherits. An op may lose because of what its operands are rounded to; their makers then
    have to stay in float32 too.

    Args:
        model: The source model.
        exact: Its package in float32.
        threshold: The largest loss of an op that is accepted.
        inputs: As `verify`.

    Returns:
        Ids of nodes, in the order of the program.

    Raises:
        Unavailable: If the source model cannot be run on any sample.
    """
    with Oracle(model, isolate=True, timeout_s=300.0) as oracle:
        reference = run_source(model, oracle, given=inputs, count=_SAMPLES, seed=0, limits=limits_of(exact))
    with payload_of(exact) as payload:
        assert not isinstance(payload, bytes)
        program = MilModel(payload)
        feeds = [_feed(exact, sample) for sample in reference.samples.arrays[:_SAMPLES]]
        losses, takes = half_losses(program, feeds), producers(program)
    names: dict[str, None] = {}
    for op, loss in losses.items():
        if loss.operands > threshold:
            names |= dict.fromkeys(takes[op])
        if loss.computed > threshold:
            names[op] = None
    return tuple(dict.fromkeys(node for n in names if n in exact.origins for node in exact.origins[n].nodes))


def note(kept: Sequence[str], threshold: float) -> Diagnostic:
    """Says which nodes stay in float32."""
    limit = f"{threshold:g} of its range in float16"
    if not kept:
        return Diagnostic("EK304", f"no op loses more than {limit}: all are float16", Severity.NOTE)
    listed = ", ".join(f"`{name}`" for name in kept[:8]) + (", ..." if len(kept) > 8 else "")
    message = f"{len(kept)} nodes stay in float32, for an op loses more than {limit}: {listed}"
    return Diagnostic("EK304", message, Severity.NOTE)


def _feed(artifact: Artifact, sample: Sample) -> Sample:
    return {
        binding.tensor: to_artifact(sample[spec.name], spec, binding)
        for spec, binding in zip(artifact.inputs, artifact.input_bindings, strict=True)
        if not binding.state
    }
