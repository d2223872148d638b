"""Consistency: does the artifact compute what the source model computes."""

from edgekit.consistency.diagnostics import verdict_diagnostics
from edgekit.consistency.verify import verify

__all__ = ["verdict_diagnostics", "verify"]
