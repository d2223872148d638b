"""`Findings`: what the checks found; one cause at several nodes is one diagnostic."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where

_MOST = 100
"""Causes of one severity that are kept; a file that is wrong throughout needs no complete list."""

_SHOWN = 60
"""Longest part of a name that a message repeats, in characters."""


@dataclass(frozen=True, slots=True)
class _Cause:
    code: str
    message: str
    severity: Severity
    help: str | None


class Findings:
    """Collects diagnostics in order and groups the nodes of those that are equal.

    Args:
        file: The file that is checked, if any.
    """

    def __init__(self, file: str | None = None) -> None:
        self._file = file
        self._nodes: dict[_Cause, dict[str, None]] = {}
        self._dropped = 0

    def add(
        self,
        code: str,
        message: str,
        node: str | None = None,
        *,
        severity: Severity = Severity.ERROR,
        help: str | None = None,
    ) -> None:
        """Adds one finding.

        Args:
            code: A key of `CODES`.
            message: What is wrong.
            node: The id of the node that it was found at.
            severity: Only an error ends the import.
            help: What to do.
        """
        cause = _Cause(code, message, severity, help)
        alike = sum(c.severity is severity for c in self._nodes)
        if cause not in self._nodes and alike >= _MOST:
            self._dropped += 1
            return
        nodes = self._nodes.setdefault(cause, {})
        if node is not None:
            nodes[node] = None

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Returns what was found, errors first."""
        found = [
            Diagnostic(c.code, c.message, c.severity, Where(self._file, nodes=tuple(nodes)), help=c.help)
            for c, nodes in self._nodes.items()
        ]
        found.sort(key=lambda d: d.severity is not Severity.ERROR)
        if self._dropped:
            found[0] = replace(found[0], notes=(f"{self._dropped} more findings are not listed",))
        return tuple(found)

    def raise_errors(self) -> None:
        """Ends the import when there is an error among the findings.

        Raises:
            EdgekitError: Carries all of them.
        """
        if any(c.severity is Severity.ERROR for c in self._nodes):
            raise EdgekitError(*self.diagnostics())


def shown(name: str | bytes) -> str:
    """Returns a name of an untrusted file in backticks: printable, and not too long."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    text = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return f"`{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}`"
