"""Artifacts that keep states: one run follows the other, on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.artifact import Artifact
from edgekit.consistency.reference import Reference
from edgekit.consistency.samples import Sample
from edgekit.ir import TensorSpec
from edgekit.runners import Array

States = Mapping[str, str]
"""Outputs of the source model by the inputs that they are in the next run."""


def states_of(artifact: Artifact) -> States:
    """Returns which outputs an artifact keeps for which inputs."""
    outputs = {
        b.tensor: s.name for s, b in zip(artifact.outputs, artifact.output_bindings, strict=True) if b.state
    }
    return {
        s.name: outputs[b.tensor]
        for s, b in zip(artifact.inputs, artifact.input_bindings, strict=True)
        if b.state
    }


def fed_back(
    reference: Reference,
    states: States,
    specs: Sequence[TensorSpec],
    run: Callable[[Sample], Mapping[str, Array]],
) -> Reference:
    """Runs the samples of a reference as one sequence from zeros on.

    Args:
        reference: Independent samples.
        states: What is fed back.
        specs: The inputs of the source model.
        run: Runs the source model.

    Returns:
        The reference whose samples hold the states that the source model itself gave before.
    """
    shapes = {s.name: ([d for d in s.shape or () if isinstance(d, int)], s.dtype) for s in specs}
    held: dict[str, Array] = {name: np.zeros(*shapes[name]) for name in states}
    samples, outputs = [], []
    for sample in reference.samples.arrays:
        step = dict(sample) | held
        found = run(step)
        held = {name: found[output] for name, output in states.items()}
        samples.append(step)
        outputs.append(found)
    note = f"{len(samples)} steps of one sequence, states fed back from zeros on"
    made = replace(reference.samples, arrays=tuple(samples), notes=(*reference.samples.notes, note))
    return replace(reference, samples=made, outputs=tuple(outputs))


def followed(
    samples: Sequence[Sample], states: States, run: Callable[[Sample], Mapping[str, Array]]
) -> list[Mapping[str, Array]]:
    """Runs an artifact on samples one after the other, each with the states that it gave itself."""
    results: list[Mapping[str, Array]] = []
    for sample in samples:
        own = {name: results[-1][output] for name, output in states.items()} if results else {}
        results.append(run({k: v for k, v in sample.items() if k not in states} | own))
    return results
