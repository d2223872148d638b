"""Proof of a rewrite: both models run on the same inputs, and their outputs are held to what was claimed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgekit.compat.advice import Claim
from edgekit.compat.fix import Applied, Fixed
from edgekit.consistency.calibrate import Loss, losses_between
from edgekit.consistency.generate import Generator
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.samples import Sample, golden_samples
from edgekit.ir import Model
from edgekit.lowering.onnx.emit import executable

ROUNDING = 1e-4
"""Largest error of a rewrite that only rounds otherwise, as a share of an output's range."""
SAMPLES, RANDOM = 8, 4
"""How many samples beside the model, and how many random ones, are run."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What running both models showed of one rewrite.

    Attributes:
        applied: The rewrite.
        losses: The models before and after it, by output.
        golden: How many samples came from beside the model.
        random: How many were random.
    """

    applied: Applied
    losses: tuple[Loss, ...]
    golden: int
    random: int

    @property
    def error(self) -> float:
        """The largest error of any output, as a share of its range; 0 for the same numbers."""
        return max((_relative(loss) for loss in self.losses), default=0.0)

    @property
    def holds(self) -> bool:
        """Whether what the rewrite claims is so; an inexact one claims nothing but that it is stated."""
        claim = self.applied.advice.claim
        if claim is Claim.EXACT:
            return all(loss.max_abs == 0 for loss in self.losses)
        return claim is Claim.INEXACT or self.error <= ROUNDING


def _relative(loss: Loss) -> float:
    if loss.max_abs is None:
        return float("inf")
    span = max(abs(loss.low or 0.0), abs(loss.high or 0.0), (loss.high or 0.0) - (loss.low or 0.0))
    return loss.max_abs / span if span else (0.0 if loss.max_abs == 0 else float("inf"))


def prove(fixed: Fixed) -> tuple[Proof, ...]:
    """Runs the models before and behind each rewrite on samples beside the model and on random inputs.

    Args:
        fixed: The rewrites.

    Returns:
        One proof for each rewrite, in order. Every one is held against the model before it.

    Raises:
        EdgekitError: As the runtime.
    """
    if not fixed.applied:
        return ()
    golden, random = _samples(fixed)
    names = [spec.name for spec in fixed.start.outputs]
    steps = [fixed.start, *(one.model for one in fixed.applied)]
    results = [_run(model, [*golden, *random]) for model in steps]
    return tuple(
        Proof(one, losses_between(names, before, after), len(golden), len(random))
        for one, before, after in zip(fixed.applied, results, results[1:], strict=False)
    )


def _run(model: Model, samples: Sequence[Sample]) -> list[Sample]:
    with Oracle(executable(model), isolate=True, timeout_s=300.0, hub=True) as oracle:
        return [oracle.run(sample) for sample in samples]


def _samples(fixed: Fixed) -> tuple[list[Sample], list[Sample]]:
    """Samples that fit the last model, whose sizes may be fixed."""
    source = fixed.candidate.model
    path = None if source is None else source.path
    last = replace(fixed.model, path=path)
    golden = golden_samples(last, SAMPLES)
    generator = Generator(last)
    return list(golden.arrays) if golden else [], list(_random(generator))


def _random(generator: Generator) -> Iterator[Sample]:
    for number in range(RANDOM):
        yield generator.sample(number, generator.sizes(number, next(generator.inner_sizes())))
