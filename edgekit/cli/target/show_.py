"""`edgekit target show`."""

from __future__ import annotations

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import command as make
from edgekit.cli.target import COMMANDS, project_folders
from edgekit.report import Report, Subject


@make("show", summary=COMMANDS["show"])
@click.argument("target")
def command(console: Console, target: str) -> Report:
    """Show what a target takes, under which conditions, and where that is stated.

    TARGET is an id (`edgekit target list`) or a descriptor's file.
    """
    from edgekit.compat import target as load
    from edgekit.report.describe.target import page

    console.subject = Subject(target)
    return page(load(target, project_folders()), environment())
