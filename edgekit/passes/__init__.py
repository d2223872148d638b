"""Passes on the hub IR: one pass per file; `pipeline.py` states the order."""

from edgekit.passes.decompose import expand
from edgekit.passes.pipeline import FOLD_LIMIT_BYTES, Prepared, prepare
from edgekit.passes.report import PassReport

__all__ = ["FOLD_LIMIT_BYTES", "PassReport", "Prepared", "expand", "prepare"]
