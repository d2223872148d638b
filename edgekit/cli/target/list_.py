"""`edgekit target list`."""

from __future__ import annotations

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import command as make
from edgekit.cli.target import COMMANDS, project_folders
from edgekit.report import Report, Subject


@make("list", summary=COMMANDS["list"])
@click.option("--families", is_flag=True, help="Also those that only exist to be extended.")
def command(console: Console, families: bool) -> Report:
    """List the targets: ours, and those of the project's folders."""
    from edgekit.compat import all_targets
    from edgekit.report.describe.target import listing

    console.subject = Subject("targets")
    return listing(all_targets(project_folders(), families=families), environment())
