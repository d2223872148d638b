"""edgekit: from a trained model to a verified artifact on the device.

The names below are imported on first use, so that `import edgekit` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.api import check, convert, load, open, quantize, run
    from edgekit.artifact import Artifact
    from edgekit.diagnostics import Diagnostic, EdgekitError
    from edgekit.ir import Model

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "Diagnostic",
    "EdgekitError",
    "Model",
    "__version__",
    "check",
    "convert",
    "load",
    "open",
    "quantize",
    "run",
]

_HOMES = {
    "Artifact": "edgekit.artifact",
    "Diagnostic": "edgekit.diagnostics",
    "EdgekitError": "edgekit.diagnostics",
    "Model": "edgekit.ir",
    "check": "edgekit.api",
    "convert": "edgekit.api",
    "load": "edgekit.api",
    "open": "edgekit.api",
    "quantize": "edgekit.api",
    "run": "edgekit.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `edgekit` has no attribute `{name}`")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
