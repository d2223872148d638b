"""Wrong use of the command line as diagnostics, with the nearest valid word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click
from click.core import ParameterSource

from edgekit.diagnostics import EdgekitError, error


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Returns the valid word that was probably meant, whatever its case, or `None`."""
    spelled = {known.lower(): known for known in words}
    close = difflib.get_close_matches(word.lower(), list(spelled), n=1, cutoff=0.6)
    return spelled[close[0]] if close else None


def unknown_name(what: str, name: str, names: Iterable[str], *, listed_by: str | None = None) -> EdgekitError:
    """Builds the error for a name that does not exist (EK204).

    Args:
        what: The kind of thing, as a noun.
        name: What the user wrote.
        names: All that exist.
        listed_by: A command that lists them, where they are too many for one line.
    """
    known = list(names)
    meant = nearest(name, known)
    all_names = f"`{listed_by}` lists them" if listed_by else f"one of {', '.join(f'`{n}`' for n in known)}"
    return error(
        "EK204", f"there is no {what} `{name}`", help=f"did you mean `{meant}`?" if meant else all_names
    )


def from_click(failure: click.ClickException) -> EdgekitError:
    """Translates an error of the option parser (EK205)."""
    context = getattr(failure, "ctx", None)
    path = context.command_path if context else "edgekit"
    if isinstance(failure, click.NoSuchOption):
        meant = failure.possibilities[0] if failure.possibilities else None
        help = f"did you mean `{meant}`?" if meant else f"`{path} --help` lists the options"
        return error("EK205", f"there is no option `{failure.option_name}`", help=help)
    notes = _origin(failure) if isinstance(failure, click.BadParameter) else []
    return error("EK205", _sentence(failure.format_message()), notes=notes, help=f"see `{path} --help`")


def _origin(failure: click.BadParameter) -> list[str]:
    """Says where a value comes from that is not on the command line."""
    context, option = failure.ctx, failure.param
    if context is None or option is None or option.name is None:
        return []
    if context.get_parameter_source(option.name) is not ParameterSource.ENVIRONMENT:
        return []
    variable = option.envvar or f"{context.auto_envvar_prefix}_{option.name.upper()}"
    return [f"the value comes from the variable `{variable}`"]


def _sentence(text: str) -> str:
    """Brings the parser's sentences into our form: lower case, no full stop, names in backticks."""
    text = text.strip().removesuffix(".").replace("'", "`")
    head, colon, rest = text.partition(": ")
    if colon and "\n" not in head:
        text = f"{head}: {rest[:1].lower()}{rest[1:]}"
    return text[:1].lower() + text[1:]
