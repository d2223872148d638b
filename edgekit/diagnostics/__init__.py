"""Diagnostics: codes, messages with a place, and the errors that carry them."""

from edgekit.diagnostics.codes import CODES, Code
from edgekit.diagnostics.diagnostic import (
    Diagnostic,
    EdgekitError,
    Severity,
    Where,
    error,
    missing_package,
)
from edgekit.diagnostics.exit_codes import ExitCode

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "EdgekitError",
    "ExitCode",
    "Severity",
    "Where",
    "error",
    "missing_package",
]
