"""Structural checks of an ONNX proto, before anything trusts it.

Each file checks one kind of part. They only read the proto, so that an object of the caller stays
untouched, and they never follow nesting deeper than `MAX_DEPTH`.
"""

from edgekit.importers.onnx_checks.findings import Findings
from edgekit.importers.onnx_checks.graph import Facts
from edgekit.importers.onnx_checks.model import check_model

__all__ = ["Facts", "Findings", "check_model"]
