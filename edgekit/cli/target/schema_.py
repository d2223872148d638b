"""`edgekit target schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgekit.cli.console import write_text
from edgekit.cli.frame import FILE
from edgekit.cli.target import COMMANDS


@click.command("schema", short_help=COMMANDS["schema"])
@click.option("-o", "--output", type=FILE, help="Write it to a file.")
def command(output: Path | None) -> None:
    """Write the JSON Schema that lets an editor complete and check descriptors.

    Name it in a descriptor's first line: `# yaml-language-server: $schema=target.schema.json`.
    """
    from edgekit.compat.rules import graph_rules, rules
    from edgekit.target.json_schema import json_schema

    text = json.dumps(json_schema(rules(), graph_rules()), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
