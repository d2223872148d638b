"""`edgekit target docs`."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli.console import Console, environment, write_text
from edgekit.cli.frame import command as make
from edgekit.cli.target import COMMANDS, project_folders
from edgekit.report import Column, Kind, Report, Subject, Table, Verdict, VerdictStatus


@make("docs", output=False, summary=COMMANDS["docs"])
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("docs/targets"),
    show_default=True,
    help="Folder for the pages.",
)
def command(console: Console, output: Path) -> Report:
    """Write a page for each family of targets, and one that lists them."""
    from edgekit.compat import all_targets
    from edgekit.report.target_pages import pages

    console.subject = Subject("pages of targets")
    written = pages(all_targets(project_folders(), families=True))
    for name, text in written.items():
        write_text(output / name, text)
    rows = tuple({"page": str(output / name)} for name in written)
    return Report(
        "target docs",
        console.subject,
        Verdict(VerdictStatus.OK, f"{len(written)} pages are written to {output}"),
        (Table("pages", "Pages", (Column("page", "page", Kind.NAME),), rows),),
        environment=environment(),
    )
