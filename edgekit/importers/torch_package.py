"""The one place that imports PyTorch, and only on use."""

from __future__ import annotations

from typing import Any

from edgekit.diagnostics import missing_package


def require() -> Any:
    """Returns the module `torch`.

    Raises:
        EdgekitError: EK501 when it, or `onnxscript` which its exporter needs, is not installed.
    """
    package = "torch"
    try:
        import torch

        package = "onnxscript"
        import onnxscript  # noqa: F401
    except ImportError as failure:
        raise missing_package(package, "torch", "importing a PyTorch model") from failure
    return torch
