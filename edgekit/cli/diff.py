"""`edgekit diff`: a trace from a device beside the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import FILE
from edgekit.cli.frame import command as make
from edgekit.diagnostics import error
from edgekit.report import Report, Subject


@make("diff")
@click.argument("contract", type=FILE)
@click.argument("trace", type=FILE)
@click.option(
    "--inputs",
    type=FILE,
    help="What the device was given: .npy or .npz, one array a sample.  [default: recorded as `input`]",
)
def command(console: Console, contract: Path, trace: Path, inputs: Path | None) -> Report:
    """Compare a trace from a device with the contract, and name the cause of what differs.

    CONTRACT is a pipeline.yaml, TRACE what edgekit_trace.h wrote on the device: a file, or a log with EKT:
    lines. Each step is judged on the device's own input; a cause is named if injecting it into the
    reference gives what the device gave.
    """
    from dataclasses import replace

    from edgekit.consistency.stages import compare_trace
    from edgekit.pipeline import load_contract
    from edgekit.report.describe import stages as describe
    from edgekit.trace import read_trace

    console.subject = Subject(trace.name, "EKT", str(trace))
    with console.stages() as stage:
        stage("read")
        wanted = load_contract(contract)
        read = read_trace(trace)
        given = None if inputs is None else _samples(inputs)
        stage("compare")
        comparison = compare_trace(wanted, read, given)
    if not comparison.judged:
        stages = ", ".join(f"`{s}`" for s in sorted({r.stage for r in read.records}))
        steps = ", ".join(f"`{s.name}`" for s in wanted.steps)
        raise error(
            "EK605",
            f"nothing of the trace `{trace.name}` can be compared",
            notes=[f"stages of the trace: {stages}", f"steps of the contract: {steps}"],
            help="record tensors under the names of steps, and what the device was given under `input`",
        )
    report = describe.report(comparison, read, console.subject, str(contract))
    return replace(report, environment=environment())


def _samples(path: Path) -> list[Any]:
    """Returns the samples of a file: the first axis of a single array, else one array each in their order."""
    from edgekit.consistency.samples import read_arrays

    arrays = list(read_arrays(path, ["samples"]).values())
    return list(arrays[0]) if len(arrays) == 1 else arrays
