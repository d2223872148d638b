"""`edgekit target probe`: finds the limits of an op by asking the vendor's compiler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import FILE
from edgekit.cli.frame import command as make
from edgekit.cli.target import COMMANDS, project_folders
from edgekit.report import Report, Subject

ORACLES = ("vela",)


@make("probe", summary=COMMANDS["probe"])
@click.argument("target")
@click.option("--op", required=True, metavar="NAME", help="The op: TFLite's name, or that of an ONNX op.")
@click.option(
    "--oracle", type=click.Choice(ORACLES), default="vela", show_default=True, help="The compiler to ask."
)
@click.option(
    "--oracle-program", type=FILE, help="That compiler's program.  [default: found on this machine]"
)
@click.option("--knob", "knobs", multiple=True, metavar="NAME", help="Only this knob. Repeatable.")
def command(
    console: Console,
    target: str,
    op: str,
    oracle: str,
    oracle_program: Path | None,
    knobs: tuple[str, ...],
) -> Report:
    """Find the limits of an op by asking the vendor's compiler, and propose rules.

    Models of that one op are compiled with one knob turned at a time: kernel, stride, sizes, dtypes. Sizes
    are bisected. What is found is compared with the target's table.
    """
    from edgekit.compat.oracle import oracle_for
    from edgekit.compat.probe import Probe, ops_named
    from edgekit.compat.targets import target as load_target
    from edgekit.report.describe import probe as describe

    console.subject = Subject(target)
    chip = load_target(target, project_folders())
    tool = oracle_for(oracle, program=None if oracle_program is None else str(oracle_program))
    with console.stages() as stage:
        probes = [Probe(chip, tool, name) for name in ops_named(op)]
        found = [(probe, tuple(probe.limits(knobs, stage))) for probe in probes]
    report = describe.report(chip, tool.name, found)
    return replace(report, environment={**environment(), **report.environment})
