"""Outputs of a quantised model that differ, judged by its layers.

Integer kernels round once more or otherwise than the QDQ model, and later layers carry that on: outputs of
deep models are several steps off although every kernel is right. Such an output is accepted if every layer
alone, on the integers that the QDQ model has at its inputs, gives what the QDQ model gives but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.artifact import Artifact, Delta, LayerDelta, Status
from edgekit.consistency.layers.evidence import Evidence, artifact_stage, evidence_of
from edgekit.consistency.layers.stage import Stage
from edgekit.consistency.metrics import Pair, compare_tensor
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.reference import Reference
from edgekit.consistency.tolerance import default_tolerance, dtype_text
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.runners import Array


@dataclass(frozen=True, slots=True)
class LayerWork:
    """The evidence on the graphs with integer kernels that take part in a comparison.

    Attributes:
        model: The hub model.
        reference: The samples.
        artifact: On the artifact; `None` if it has no integer kernels.
        source: On the TFLite file that is the reference; `None` if it has none, or is not the reference.
    """

    model: Model
    reference: Reference
    artifact: Evidence | None
    source: Evidence | None

    @classmethod
    def of(
        cls,
        model: Model,
        artifact: Artifact,
        oracle: Oracle,
        reference: Reference,
        first: Sequence[int] = (),
    ) -> LayerWork | None:
        """Runs the layers; `None` where neither side has integer kernels.

        Args:
            model: The hub model.
            artifact: What was made of it.
            oracle: What ran the source.
            reference: The samples.
            first: Samples to look at before all others: those with the largest errors.
        """
        stages = (artifact_stage(model, artifact), Stage.of_source(model) if oracle.is_original else None)
        order = dict.fromkeys((*first, *range(len(reference.samples.arrays))))
        samples = [reference.samples.arrays[i] for i in order]
        found = [None if s is None or not s.is_quantised else evidence_of(model, s, samples) for s in stages]
        return None if found == [None, None] else cls(model, reference, found[0], found[1])

    @property
    def shown(self) -> tuple[LayerDelta, ...]:
        """The layers for the report: the artifact's, else the source's."""
        found = self.artifact or self.source
        return () if found is None else found.layers

    def settle(self, delta: Delta, actual: Sequence[Array | None]) -> Delta:
        """Turns a difference into a tie if the layers explain it.

        Args:
            delta: The comparison of an output that differs.
            actual: The output of the artifact, by sample.

        Returns:
            The delta with a note on what the layers say; a tie if all of them hold, and an artifact without
            integer kernels does what the QDQ model does.
        """
        parts = [e for e in (self.artifact, self.source) if e is not None]
        notes = tuple(dict.fromkeys(e.summary() for e in parts))
        noted = replace(delta, notes=(*delta.notes, *notes))
        if not all(e.holds for e in parts):
            return noted
        if self.artifact is None and not self._agrees(delta.tensor, actual):
            return noted
        return replace(noted, status=Status.TIE, reason=None)

    def _agrees(self, name: str, actual: Sequence[Array | None]) -> bool:
        """Tells whether an output of the artifact is that of the QDQ model in ONNX Runtime."""
        try:
            with Oracle(self.model, isolate=True, timeout_s=300.0, hub=True) as hub:
                wanted = [hub.run(sample)[name] for sample in self.reference.samples.arrays]
        except EdgekitError:
            return False
        pairs: list[Pair] = list(zip(wanted, actual, strict=True))
        tolerance = default_tolerance(dtype_text(wanted[0].dtype))
        return compare_tensor(name, pairs, tolerance).status.holds
