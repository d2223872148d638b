"""Consistency: does the artifact compute what the source model computes."""

from edgekit.consistency.verify import verdict_diagnostics, verify

__all__ = ["verdict_diagnostics", "verify"]
