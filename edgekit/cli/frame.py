"""What all commands share: the common options, configuration as defaults, and the way a report is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import PRINTED, Console, with_diagnostics
from edgekit.cli.main import COMMANDS
from edgekit.diagnostics import Diagnostic, EdgekitError, Severity
from edgekit.report import Report

COLORS = ("auto", "always", "never")
FILE = click.Path(path_type=Path, dir_okay=False)

Body = Callable[..., Report]
"""`(console, **options) -> Report`: the whole work of a command."""


class Command(click.Command):
    """A command whose defaults come from the configuration file.

    Attributes:
        tolerant: Whether it works with a broken configuration, which is then only a warning.
    """

    tolerant = False

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Reads the configuration, unless only the help is wanted."""
        problems: Sequence[Diagnostic] = ()
        if not {"-h", "--help"} & set(args):
            from edgekit.config import load

            try:
                defaults = load(Path.cwd()).defaults(info_name or "")
            except EdgekitError as failure:
                if not self.tolerant:
                    raise
                defaults = {}
                problems = [replace(d, severity=Severity.WARNING) for d in failure.diagnostics]
            extra["default_map"] = defaults
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[_PROBLEMS] = problems
        return context


_PROBLEMS = "edgekit.cli.problems"


def command(
    name: str, *, output: bool = True, tolerant: bool = False, summary: str | None = None
) -> Callable[[Body], click.Command]:
    """Makes a command of a function that returns its report.

    Args:
        name: Its name, a key of `COMMANDS` unless `summary` is given.
        output: Whether `-o` means a file for the document; else the command defines its own `-o`.
        tolerant: Whether it works with a broken configuration.
        summary: The first sentence of the help of a command inside a group.
    """

    def decorate(body: Body) -> click.Command:
        def invoke(**options: Any) -> int:
            context = click.get_current_context()
            console = _console(options, output)
            if isinstance(context.obj, list):
                context.obj.append(console)  # the guard shows what ends this command
            with console.library_logs():
                report = with_diagnostics(body(console, **options), context.meta[_PROBLEMS])
            console.finish(report)
            return int(report.verdict.exit_code)

        params = [*reversed(getattr(body, "__click_params__", [])), *_common(output)]
        short = COMMANDS[name] if summary is None else summary
        made = Command(name, callback=invoke, params=params, help=_help(body), short_help=short)
        made.tolerant = tolerant
        return made

    return decorate


def _help(body: Body) -> str:
    """Returns the docstring up to the `Args` section, which is for programmers."""
    return (body.__doc__ or "").partition("\n    Args:")[0]


def _console(options: dict[str, Any], output: bool) -> Console:
    as_json = options.pop("as_json")
    format = options.pop("format")
    quiet, verbose = options.pop("quiet"), options.pop("verbose")
    return Console(
        format="json" if as_json else format,
        color=options.pop("color"),
        verbosity=-1 if quiet else int(verbose),
        output=options.pop("output") if output else None,
        html=options.pop("html"),
    )


def _common(output: bool) -> list[click.Parameter]:
    shared: list[click.Parameter] = []
    if output:
        shared.append(click.Option(["-o", "--output"], type=FILE, help="Write the report to a file."))
    return [
        *shared,
        click.Option(
            ["--format"],
            type=click.Choice(PRINTED),
            default="text",
            envvar="EDGEKIT_FORMAT",
            help="Format of the report on stdout.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="The same as --format json."),
        click.Option(["--html"], type=FILE, help="Also write an HTML report."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Only the verdict and errors."),
        click.Option(["-v", "--verbose"], is_flag=True, help="All details, and a log on stderr."),
        click.Option(
            ["--color"],
            type=click.Choice(COLORS),
            default="auto",
            envvar="EDGEKIT_COLOR",
            help="Colours; `auto` respects NO_COLOR.",
        ),
    ]
