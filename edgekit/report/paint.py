"""Colours for text on a terminal: roles, not colours, are what renderers know."""

from __future__ import annotations

from collections.abc import Callable

Paint = Callable[[str, str], str]
"""`(text, role) -> text`, with or without escape sequences."""

_ROLES = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "help": "1;32",
    "good": "1;32",
    "bad": "1;31",
    "doubt": "1;33",
    "title": "1",
    "strong": "1",
    "frame": "34",
    "faint": "2",
}

STATUS_ROLES = {
    "pass": "good",
    "ok": "good",
    "agree": "good",
    "verified": "good",
    "tie": "good",
    "rounding": "good",
    "loaded": "good",
    "native": "good",
    "decomposed": "good",
    "full": "good",
    "fits": "good",
    "too big": "bad",
    "unsupported": "bad",
    "fails": "bad",
    "fail": "bad",
    "differ": "bad",
    "mismatch": "bad",
    "failed": "bad",
    "error": "bad",
    "missing": "bad",
    "fallback": "doubt",
    "partly": "doubt",
    "open": "doubt",
    "unknown": "doubt",
    "unchecked": "doubt",
    "unverified": "doubt",
    "outdated": "doubt",
    "not-observable": "doubt",
    "not-comparable": "doubt",
}
"""The role of a one-word state; any other is shown as it is."""


def plain_paint(text: str, role: str) -> str:
    """Returns the text as it is."""
    return text


def ansi_paint(text: str, role: str) -> str:
    """Returns the text in the colour of its role."""
    code = _ROLES.get(role)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text
