"""`Verification`: the verdict on an artifact, with its numbers and its evidence."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from edgekit.ir import Origin


class Verdict(enum.StrEnum):
    """What is known of an artifact."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    UNVERIFIED = "unverified"


class Evidence(enum.StrEnum):
    """How a claim was obtained, from the weakest to the strongest."""

    DECLARED = "declared"
    LOWERED = "lowered"
    EXECUTED = "executed"
    ON_DEVICE = "on-device"


class Status(enum.StrEnum):
    """What the comparison of one tensor says."""

    AGREE = "agree"
    TIE = "tie"
    """It differs only where rounding decides: indices of scores that are equal within the tolerance, or
    quantised values that are one step off at few elements (more where the artifact has integer kernels)."""
    ROUNDING = "rounding"
    """It differs from the source by no more than other roundings of float32 move the source itself."""
    DIFFER = "differ"
    MISSING = "missing"
    NOT_OBSERVABLE = "not-observable"
    NOT_COMPARABLE = "not-comparable"
    """The source model itself is random here."""

    @property
    def holds(self) -> bool:
        """Whether the tensor was compared and is as it should be."""
        return self in (Status.AGREE, Status.TIE, Status.ROUNDING)


@dataclass(frozen=True, slots=True)
class Delta:
    """How far a tensor of the artifact is from the source model's, over all samples.

    Attributes:
        tensor: The name in the source model.
        status: The verdict on this tensor.
        dtype: Name of the source's dtype.
        elements: How many elements were compared.
        mismatching: How many of them lie beyond the limit.
        max_abs: The largest absolute error among finite elements; `None` if nothing was compared.
        low: The reference's smallest finite value.
        high: The reference's largest finite value.
        limit: The largest absolute error that is accepted; 0 where equality is asked.
        sqnr_db: Signal to quantisation-noise ratio in dB; infinite for equal tensors.
        cosine: Cosine similarity; `None` where a norm is zero.
        worst_sample: The sample with the largest error.
        worst_index: Where in that sample, in the source's axes.
        reason: Why the status is not `agree`.
        notes: What weakens the comparison.
    """

    tensor: str
    status: Status
    dtype: str = ""
    elements: int = 0
    mismatching: int = 0
    max_abs: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    sqnr_db: float | None = None
    cosine: float | None = None
    worst_sample: int | None = None
    worst_index: tuple[int, ...] | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def relative(self) -> float | None:
        """The largest absolute error as a fraction of the reference's range; `None` if it has none."""
        if self.max_abs is None or self.low is None or self.high is None or self.high == self.low:
            return None
        return self.max_abs / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first node whose inputs agree while its output does not.

    Attributes:
        tensor: The output of the node that differs, by its name in the source model.
        op_type: The ONNX op of the node.
        origin: The node in the user's model.
        delta: How far the output is off.
        unobserved: Inputs of the node, or tensors before it, that could not be compared; when there
            are any, the cause may lie in the nodes that make them.
    """

    tensor: str
    op_type: str
    origin: Origin
    delta: Delta
    unobserved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerDelta:
    """One layer of a quantised graph, run alone on the integers that the QDQ model has at its inputs.

    Attributes:
        tensor: The result of the layer, by its name in the source model.
        op: The backend's ops, mostly one.
        origin: The source nodes that it computes.
        elements: How many elements were compared.
        one: How many are off by one step.
        more: How many are off by more; of reals, by more than 1e-4 of the largest.
        largest: The largest difference in steps; 0 for reals.
        farthest: How far a differing element lies from the real that the QDQ model rounds, in steps: 0.5 for
            a half that was rounded to the other side; `None` where the real is not known.
        rule: The rounding rule of the kernel that predicts the most of what differs; `None` if none does.
        predicted: How many of the elements that differ have exactly the value that the rule gives.
        constant: Whether it has weights of its own: a rule that is fed with them says nothing of them.
    """

    tensor: str
    op: str
    origin: Origin
    elements: int
    one: int
    more: int
    largest: int
    farthest: float | None = None
    rule: str | None = None
    predicted: int = 0
    constant: bool = False

    @property
    def differing(self) -> int:
        """How many elements differ."""
        return self.one + self.more

    @property
    def holds(self) -> bool:
        """Whether only halves differ, or what a rule of the kernel gives, or few elements by a step."""
        if not self.differing or (self.farthest is not None and self.farthest <= _HALF):
            return True
        few = self.more <= _FEW * self.elements
        if not self.constant and few and self.predicted >= (1 - _FEW) * self.differing:
            return True
        return few and self.one <= _SOME * self.elements


_HALF = 0.55
"""Steps from a real within which both neighbours are its rounding; sums in float32 are not exact."""
_FEW, _SOME = 0.01, 0.05
"""Fractions of the elements of a layer that may be off by more than one step, and by one, unexplained."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on an artifact and what it rests on.

    Attributes:
        verdict: `verified` only if every output was compared on every sample and agrees.
        evidence: How the verdict was obtained.
        oracle: Name and version of what ran the source model.
        runner: Name and version of what ran the artifact.
        deltas: One for each output of the source model, in its order.
        samples: How many input samples were run.
        inputs: Where they come from: `given`, `golden`, or `generated`.
        seed: The seed of generated inputs.
        first_divergence: The first node that differs, where it could be found.
        reason: Why the verdict is not `verified`.
        notes: What weakens the verdict.
        layers: Each layer with integer kernels alone, where the artifact or the source has such.
    """

    verdict: Verdict
    evidence: Evidence
    oracle: str | None = None
    runner: str | None = None
    deltas: tuple[Delta, ...] = ()
    samples: int = 0
    inputs: str | None = None
    seed: int | None = None
    first_divergence: Divergence | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    layers: tuple[LayerDelta, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the artifact was compared with its source and agrees."""
        return self.verdict is Verdict.VERIFIED


def not_verified(reason: str, evidence: Evidence = Evidence.LOWERED) -> Verification:
    """Returns the verdict on an artifact that was not compared.

    Args:
        reason: Why not.
        evidence: What is known instead.
    """
    return Verification(Verdict.UNVERIFIED, evidence, reason=reason)
