"""`edgekit target`: the group of commands on target descriptors; each is imported only to use it."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

COMMANDS: dict[str, str] = {
    "list": "List the targets: ours, and those of the project's folders.",
    "show": "Show what a target takes, under which conditions, and where that is stated.",
    "lint": "Check descriptors without a model.",
    "probe": "Find the limits of an op by asking the vendor's compiler.",
    "docs": "Write a page for each family of targets.",
    "schema": "Write the JSON Schema that lets an editor complete and check descriptors.",
}
"""Commands in the order of `--help`; the module has the same name with an underscore behind it."""


class Group(click.Group):
    """Knows its commands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports one command; `None` for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edgekit.cli.target.{cmd_name}_").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command, or says which name is near."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from edgekit.cli.usage import unknown_name

            raise unknown_name("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("target", cls=Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and check the descriptors of targets.

    A target is a chip with its toolchain and version. Descriptors are YAML files; `targets` in the
    configuration names the folders of your own, and `-t ./my.yaml` reads one directly.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def project_target(name: str | None) -> str | None:
    """Returns the file of a target that lies in one of the project's folders, else the name as it is.

    Raises:
        EdgekitError: EK202 if the configuration is not valid.
    """
    folders = project_folders() if name is not None else ()
    if name is None or not folders:
        return name
    from edgekit.target import builtin_folder, shelf

    path = shelf(folders).files().get(name)
    return name if path is None or path.is_relative_to(builtin_folder()) else str(path)


def project_folders() -> tuple[Path, ...]:
    """Returns the folders of descriptors that the configuration of the working folder names.

    Raises:
        EdgekitError: EK202 if the configuration is not valid.
    """
    from edgekit.config import load

    return load(Path.cwd()).targets
