"""The Python API: `load`, `check`, `agree`, `convert`, `quantize`, `open`, `run`."""

from edgekit.api.checks import agree, check, fix
from edgekit.api.common import Progress
from edgekit.api.conversion import convert
from edgekit.api.loading import load
from edgekit.api.quantisation import pareto, quantize
from edgekit.api.running import open, run
from edgekit.diagnostics import EdgekitError

__all__ = [
    "EdgekitError",
    "Progress",
    "agree",
    "check",
    "convert",
    "fix",
    "load",
    "open",
    "pareto",
    "quantize",
    "run",
]
