"""Reads the values of options, and says what is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.diagnostics import EdgekitError, error


def fields(where: str, given: Any, known: Sequence[str]) -> dict[str, Any]:
    """Reads a table whose names are known.

    Raises:
        EdgekitError: EK202 for another name, EK204 for anything else than a table.
    """
    fields = mapping(where, given)
    for name in fields:
        if name not in known:
            raise unknown(f"field of `{where}`", name, known)
    return fields


def mapping(where: str, given: Any) -> dict[str, Any]:
    """Reads a table of names.

    Raises:
        EdgekitError: EK204 for anything else.
    """
    if not isinstance(given, Mapping):
        raise error("EK204", f"`{where}` is {given!r}, not a table of names")
    return dict(given)


def items(where: str, given: Any) -> list[Any]:
    """Reads a list.

    Raises:
        EdgekitError: EK204 for anything else.
    """
    if not isinstance(given, list | tuple):
        raise error("EK204", f"`{where}` is {given!r}, not a list")
    return list(given)


def number(where: str, given: Any) -> float:
    """Reads a number.

    Raises:
        EdgekitError: EK204 for anything else.
    """
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise error("EK204", f"`{where}` is {given!r}, not a number")
    return float(given)


def whole(where: str, given: Any) -> int:
    """Reads a whole number of at least 1.

    Raises:
        EdgekitError: EK204 for anything else.
    """
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise error("EK204", f"`{where}` is {given!r}, not a size")
    return given


def choice(name: str, given: Any, choices: Any) -> None:
    """Holds a value against its choices.

    Raises:
        EdgekitError: EK204, naming them.
    """
    if given not in choices:
        listed = ", ".join(f"`{c}`" for c in choices)
        raise error("EK204", f"`{name}` is `{given}`", notes=[f"choices: {listed}"])


def unknown(what: str, name: str, known: Sequence[str]) -> EdgekitError:
    """Builds the error for a name that is not known."""
    near = difflib.get_close_matches(name, known, 1)
    return error(
        "EK202",
        f"`{name}` is not an {what}" if what[0] in "aeiou" else f"`{name}` is not a {what}",
        notes=[f"known: {', '.join(f'`{k}`' for k in known)}"],
        help=f"did you mean `{near[0]}`" if near else None,
    )
