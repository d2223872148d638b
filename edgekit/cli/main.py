"""`edgekit`: the lazy command group. This module and what it imports decide how fast `--help` is."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

COMMANDS: dict[str, str] = {
    "inspect": "Show what a model holds: inputs, ops, parameters, arithmetic.",
    "check": "Say where each op of a model runs on a target, and why.",
    "convert": "Convert a model for a backend and verify the artifact.",
    "quantize": "Quantise a float model after training, convert it and verify the artifact.",
    "target": "List, show and check the descriptors of targets.",
    "run": "Run an artifact or a model on given inputs.",
    "diff": "Compare a trace from a device with the contract, and name the cause of what differs.",
    "report": "Show a saved report in another format.",
    "explain": "Explain a diagnostic code.",
    "doctor": "Check this installation and say what is missing.",
}
"""Commands in the order of `--help`, with the first sentence of their help; the module has the same name."""

_COMPLETE = "_EDGEKIT_COMPLETE"
"""The variable by which a shell asks for completions; named as in Click."""

_CONTEXT = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "EDGEKIT", "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to use it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports one command; `None` for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edgekit.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command, or says which name is near."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from edgekit.cli.usage import unknown_name

            raise unknown_name("command", name, COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    # Click overloads `main` by its modes; ours always ends the process.
    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Runs the command line and ends the process with one of our exit codes."""
        from edgekit.cli.exit import guarded

        arguments = list(sys.argv[1:] if args is None else args)
        name = prog_name or "edgekit"
        if instruction := os.environ.get(_COMPLETE):
            from click.shell_completion import shell_complete

            sys.exit(shell_complete(self, extra, name, _COMPLETE, instruction))
        consoles: list[Any] = []

        def run() -> Any:
            with self.make_context(name, arguments, **{**extra, "obj": consoles}) as context:
                return self.invoke(context)

        sys.exit(guarded(run, tuple(arguments), consoles))


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from edgekit import __version__

        click.echo(f"edgekit {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings=_CONTEXT, no_args_is_help=False, invoke_without_command=True)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """From a trained model to a verified artifact on the device.

    Exit codes: 0 holds, 1 checked and it does not hold, 2 usage or invalid input, 3 bug in edgekit,
    4 backend or device unavailable, 5 nothing was checked.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """The entry point of the console script."""
    cli.main()
