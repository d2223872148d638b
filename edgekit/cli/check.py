"""`edgekit check`: where each op of a model runs on a target, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.console import Console, environment, write_text
from edgekit.cli.convert import IO_LAYOUTS, shapes
from edgekit.cli.frame import FILE
from edgekit.cli.frame import command as make
from edgekit.cli.target import project_folders
from edgekit.diagnostics import error
from edgekit.report import Report, Subject

if TYPE_CHECKING:
    from edgekit.compat.policy import Policy
    from edgekit.ir import Model

ORACLES = ("hls4ml", "qnn", "vela")
EVERY_FIX = "all"
"""What `--fix` without a name stands for."""
FAIL_ON = ("unsupported", "unknown", "fallback")


@make("check")
@click.argument("model")
@click.option(
    "-t", "--target", "targets", multiple=True, metavar="ID", help="A target's id or file. Repeatable."
)
@click.option("--all", "every", is_flag=True, help="All targets; it is enough that one holds.")
@click.option(
    "--targets-folder",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of your own descriptors. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    default="unsupported",
    show_default=True,
    help="What must not be: ops that run nowhere; these or undecided ones; anything off the accelerator.",
)
@click.option("--baseline", type=FILE, help="Fail only on what is worse than in this file.")
@click.option("--update-baseline", is_flag=True, help="Write the baseline anew instead of comparing.")
@click.option("--waivers", type=FILE, help="A TOML file of accepted findings, each with a reason and an end.")
@click.option(
    "--what-if",
    "what_if",
    multiple=True,
    metavar="NAME=1x3x320x320",
    help="Judge the model with other sizes of an input. Repeatable.",
)
@click.option("--oracle", type=click.Choice(ORACLES), help="Ask the vendor's compiler, too, and compare.")
@click.option(
    "--oracle-program", type=FILE, help="That compiler's program.  [default: found on this machine]"
)
@click.option(
    "--io-layout",
    type=click.Choice(IO_LAYOUTS),
    default="source",
    show_default=True,
    help="Layout of public inputs and outputs.",
)
@click.option(
    "--fix",
    is_flag=False,
    flag_value=EVERY_FIX,
    metavar="[=RULE]",
    help="Rewrite what keeps the model off the target, and prove it; all rewrites or one.",
)
@click.option("--fixed-model", type=FILE, help="Write the rewritten model as an .onnx file.")
@click.option("--allow-approximate", is_flag=True, help="Take forms that are not exact as supported.")
@click.option(
    "--allow-pickle",
    is_flag=True,
    allow_from_autoenv=False,
    help="Load files that may run code. Only if you trust them.",
)
def command(
    console: Console,
    model: str,
    targets: tuple[str, ...],
    every: bool,
    folders: tuple[Path, ...],
    fail_on: str,
    baseline: Path | None,
    update_baseline: bool,
    waivers: Path | None,
    what_if: tuple[str, ...],
    oracle: str | None,
    oracle_program: Path | None,
    io_layout: str,
    fix: str | None,
    fixed_model: Path | None,
    allow_approximate: bool,
    allow_pickle: bool,
) -> Report:
    """Say where each op of a model runs on a target, and why.

    MODEL is what `convert` takes; the ops that its lowering emits are judged. A .tflite file, an
    .mlpackage, and for targets that take ONNX an .onnx file, are judged by their own ops.
    """
    from edgekit import api
    from edgekit.compat.baseline import write_baseline
    from edgekit.compat.policy import rule
    from edgekit.report.describe import agreement, fixes
    from edgekit.report.describe import check as describe

    console.subject = Subject(Path(model).name or model)
    _check_usage(targets, every, baseline, update_baseline)
    policy = _policy(fail_on, every, None if update_baseline else baseline, waivers)
    with console.stages() as stage:
        found = api.check(
            model,
            None if every else targets,
            folders=(*folders, *project_folders()),
            what_if=shapes(what_if, "--what-if"),
            allow_approximate=allow_approximate,
            io_layout=io_layout,
            progress=stage,
            **_load_options(model, allow_pickle),
        )
        proofs: tuple[Any, ...] = ()
        if fix is not None:
            only = None if fix == EVERY_FIX else fix
            found, proofs, rewritten = api.fix(found, only, folders=folders, progress=stage)
            if fixed_model is not None:
                _write_model(fixed_model, rewritten)
        program = None if oracle_program is None else str(oracle_program)
        told = () if oracle is None else api.agree(found, oracle, program=program, progress=stage)
    if update_baseline and baseline is not None:
        write_text(baseline, write_baseline(found))
        policy = _policy(fail_on, every, baseline, waivers)
    report = describe.report(found, rule(found, policy), policy, path=model)
    if fix is not None:
        report = fixes.added(report, proofs, fixed_model)
    if told:
        report = agreement.added(report, told)
    return replace(report, environment={**environment(), **report.environment})


def _write_model(path: Path, model: Model) -> None:
    """Writes the rewritten model.

    Raises:
        EdgekitError: EK506 if the file cannot be written.
    """
    try:
        path.write_bytes(model.to_proto().SerializeToString(deterministic=True))
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK506", f"`{path}` cannot be written: {reason}") from failure


def _load_options(model: str, allow_pickle: bool) -> dict[str, bool]:
    return {"allow_pickle": True} if allow_pickle else {}


def _check_usage(targets: tuple[str, ...], every: bool, baseline: Path | None, update_baseline: bool) -> None:
    if bool(targets) == every:
        what = "`--target` and `--all` exclude each other" if every else "no target is given"
        help = "name one with `-t`, or say `--all`; `edgekit target list` shows them"
        raise error("EK205", what, help=help)
    if update_baseline and baseline is None:
        raise error("EK205", "`--update-baseline` needs the file: `--baseline FILE`")


def _policy(fail_on: str, every: bool, baseline: Path | None, waivers: Path | None) -> Policy:
    from edgekit.compat.baseline import read_baseline
    from edgekit.compat.check import FailOn
    from edgekit.compat.policy import Policy
    from edgekit.compat.waivers import read_waivers

    return Policy(
        FailOn(fail_on),
        every,
        None if baseline is None else read_baseline(baseline),
        () if waivers is None else read_waivers(waivers),
    )
