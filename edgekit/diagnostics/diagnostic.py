"""`Diagnostic`: what is wrong, where, and what to do; and the errors that carry them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from edgekit.diagnostics.codes import CODES
from edgekit.diagnostics.exit_codes import ExitCode


class Severity(enum.StrEnum):
    """How bad it is; only an error ends the work."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a diagnostic points.

    Attributes:
        file: The user's source file (for a node) or the offending file.
        line: 1-based line in `file`.
        nodes: Names of the nodes of the user's model, all that share the cause.
        scope: Framework scope such as `features.3.conv`.
    """

    file: str | None = None
    line: int | None = None
    nodes: tuple[str, ...] = ()
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message for one cause.

    Attributes:
        code: A key of `CODES`.
        message: What is wrong: lower case, no full stop, names in backticks.
        severity: Only `ERROR` ends the work.
        where: File, line, nodes and scope.
        notes: Facts that explain the message.
        help: What to do; the only place that gives advice.
        data: Machine-readable details (JSON types).
    """

    code: str
    message: str
    severity: Severity = Severity.ERROR
    where: Where = Where()
    notes: tuple[str, ...] = ()
    help: str | None = None
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"`{self.code}` is not in the table of codes")

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of this diagnostic when it ends the work."""
        return CODES[self.code].exit_code

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form, with stable keys."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "where": {
                "file": self.where.file,
                "line": self.where.line,
                "nodes": list(self.where.nodes),
                "scope": self.where.scope,
            },
            "notes": list(self.notes),
            "help": self.help,
            "data": dict(self.data),
        }


class EdgekitError(Exception):
    """Ends the work; carries every diagnostic found up to then.

    Attributes:
        diagnostics: At least one; the first error decides the exit code.
    """

    def __init__(self, *diagnostics: Diagnostic) -> None:
        if not diagnostics:
            raise ValueError("an EdgekitError needs at least one diagnostic")
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in diagnostics))

    def __reduce__(self) -> tuple[Any, ...]:
        # Default pickling would pass the joined message to __init__; errors cross processes.
        return type(self), self.diagnostics

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the first error among the diagnostics."""
        errors = [d for d in self.diagnostics if d.severity is Severity.ERROR]
        return (errors or list(self.diagnostics))[0].exit_code


def error(
    code: str,
    message: str,
    *,
    where: Where | None = None,
    notes: Iterable[str] = (),
    help: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> EdgekitError:
    """Builds the error for one diagnostic, ready to be raised.

    Args:
        code: A key of `CODES`.
        message: What is wrong: lower case, no full stop, names in backticks.
        where: File, line, nodes and scope.
        notes: Facts that explain the message.
        help: What to do.
        data: Machine-readable details.

    Returns:
        The exception to raise.
    """
    return EdgekitError(
        Diagnostic(
            code, message, where=where or Where(), notes=tuple(notes), help=help, data=dict(data or {})
        )
    )


def missing_package(package: str, extra: str, needed_for: str) -> EdgekitError:
    """Builds the error for an optional package that is not installed (exit 4).

    Args:
        package: The name of the package that could not be imported.
        extra: The extra of edgekit that brings it.
        needed_for: What needs it, as a noun phrase.

    Returns:
        The exception to raise.
    """
    return error(
        "EK501",
        f"{needed_for} needs the package `{package}`, which is not installed",
        help=f'pip install "edgekit[{extra}]"',
        data={"package": package, "extra": extra},
    )
