"""`edgekit report`: a saved report in another format."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgekit.cli.console import Console
from edgekit.cli.frame import command as make
from edgekit.diagnostics import Where, error
from edgekit.report import Report, Subject
from edgekit.report.saved import from_dict

_NAME = "report.json"


@make("report")
@click.argument("source", type=click.Path(path_type=Path))
def command(console: Console, source: Path) -> Report:
    """Show a saved report in another format.

    SOURCE is a report in JSON, or the folder of an artifact that holds one. The command exits with the
    code of the command that wrote the report.
    """
    console.subject = Subject(str(source))
    path = source / _NAME if source.is_dir() else source
    where = Where(file=str(path))
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK101", f"`{path}` cannot be opened: {reason}", where=where) from failure
    except ValueError as failure:
        raise error("EK102", f"`{path}` is not a report: {failure}", where=where) from failure
