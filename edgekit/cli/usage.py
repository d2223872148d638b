"""Wrong use of the command line as diagnostics, with the nearest valid word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

from edgekit.diagnostics import EdgekitError, error


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Returns the valid word that was probably meant, or `None`."""
    close = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return close[0] if close else None


def unknown_name(what: str, name: str, names: Iterable[str]) -> EdgekitError:
    """Builds the error for a name that does not exist (EK204).

    Args:
        what: The kind of thing, as a noun.
        name: What the user wrote.
        names: All that exist.
    """
    known = list(names)
    meant = nearest(name, known)
    help = f"did you mean `{meant}`?" if meant else f"one of {', '.join(f'`{n}`' for n in known)}"
    return error("EK204", f"there is no {what} `{name}`", help=help)


def from_click(failure: click.ClickException) -> EdgekitError:
    """Translates an error of the option parser (EK205)."""
    context = getattr(failure, "ctx", None)
    path = context.command_path if context else "edgekit"
    if isinstance(failure, click.NoSuchOption):
        meant = failure.possibilities[0] if failure.possibilities else None
        help = f"did you mean `{meant}`?" if meant else f"`{path} --help` lists the options"
        return error("EK205", f"there is no option `{failure.option_name}`", help=help)
    return error("EK205", _sentence(failure.format_message()), help=f"see `{path} --help`")


def _sentence(text: str) -> str:
    """Brings the parser's sentences into our form: lower case, no full stop, names in backticks."""
    text = text.strip().removesuffix(".").replace("'", "`")
    head, colon, rest = text.partition(": ")
    if colon and "\n" not in head:
        text = f"{head}: {rest[:1].lower()}{rest[1:]}"
    return text[:1].lower() + text[1:]
