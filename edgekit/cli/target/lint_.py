"""`edgekit target lint`."""

from __future__ import annotations

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import command as make
from edgekit.cli.target import COMMANDS, project_folders
from edgekit.report import Report, Subject


@make("lint", summary=COMMANDS["lint"])
@click.argument("targets", nargs=-1)
def command(console: Console, targets: tuple[str, ...]) -> Report:
    """Check descriptors without a model.

    TARGETS are ids or files; without any, all are checked. Mistakes of form, unknown rules and parameters,
    missing sources, ops that the dialect does not have and rules that can never be decided or never hold
    are reported, each at its line.
    """
    from edgekit.compat.lint import lint
    from edgekit.report.describe.target import linted

    console.subject = Subject(", ".join(targets) or "all targets")
    return linted(lint(targets, project_folders()), console.subject, environment())
