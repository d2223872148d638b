"""Every layer with integer kernels alone, on the integers of the QDQ model, in steps."""

from __future__ import annotations

from edgekit.consistency.layers.evidence import Evidence, evidence_of
from edgekit.consistency.layers.stage import Stage
from edgekit.consistency.layers.work import LayerWork

__all__ = ["Evidence", "LayerWork", "Stage", "evidence_of"]
