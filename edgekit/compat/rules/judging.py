"""What rules share: comparing values that may not be known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekit.compat.finding import Finding, fails, unknown
from edgekit.lowering.ledger import Value
from edgekit.target import Outcome


def within(value: int | None, low: int | None, high: int | None, what: str) -> Finding | None:
    """Holds one number to a range; `None` at an end leaves it open."""
    if value is None:
        return unknown(what)
    if (low is not None and value < low) or (high is not None and value > high):
        return fails(f"{what} {value}")
    return None


def all_within(values: Sequence[int] | None, low: int | None, high: int | None, what: str) -> Finding | None:
    """Holds each number to a range and names all of them."""
    if values is None:
        return unknown(what)
    if any((low is not None and v < low) or (high is not None and v > high) for v in values):
        return fails(f"{what} {'x'.join(map(str, values))}")
    return None


def worst(findings: Iterable[Finding | None]) -> Finding | None:
    """Returns the first failure, else the first unknown, else `None`."""
    doubt = None
    for finding in findings:
        if finding is None:
            continue
        if finding.outcome is Outcome.FAIL:
            return finding
        doubt = doubt or finding
    return doubt


def fixed_shape(value: Value | None) -> tuple[int, ...] | None:
    """Returns the sizes as compilers of fixed graphs take them: a first one that is open counts as 1."""
    if value is None or None in value.shape[1:]:
        return None
    return tuple(1 if d is None else d for d in value.shape)
