"""`edgekit convert`: a model in, a verified artifact and its report out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.backend_options import check_owners, coreml_flags, options_for, tflite_flags, tvm_flags
from edgekit.cli.console import Console, environment, write_text
from edgekit.cli.frame import FILE
from edgekit.cli.frame import command as make
from edgekit.cli.target import project_target
from edgekit.diagnostics import Where, error
from edgekit.report import Report, Subject
from edgekit.report.formats import render

if TYPE_CHECKING:
    from edgekit.artifact import Artifact

BACKENDS = ("tflite", "onnx", "coreml", "tvm")
IO_LAYOUTS = ("source", "nhwc")
ASIDE = ".mismatch"
"""Ending of the folder that gets an artifact which differs from its source."""

TUNING = ".tuning.jsonl"
"""Ending of the log of tuning beside the folder of the artifact."""


@make("convert", output=False)
@click.argument("model")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the artifact.  [default: MODEL-BACKEND, or MODEL-TARGET]",
)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="What to write.  [default: tflite, or what the target takes]",
)
@click.option(
    "-t", "--target", metavar="ID", help="A target's id or file; its compiler is run if there is one."
)
@click.option(
    "--io-layout",
    type=click.Choice(IO_LAYOUTS),
    default="source",
    show_default=True,
    help="Layout of public inputs and outputs.",
)
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    metavar="NAME=1x3x224x224",
    help="Fix the sizes of an input that the model leaves open. Repeatable.",
)
@click.option("--opset", type=click.IntRange(min=7), help="Opset of an ONNX artifact.")
@click.option("--fp16", is_flag=True, help="Make a float16 ONNX artifact.")
@tflite_flags
@coreml_flags
@tvm_flags
@click.option("--verify/--no-verify", default=True, help="Compare with the source model.  [default: verify]")
@click.option("--inputs", type=FILE, help="Inputs to verify with: .npz, .npy or .safetensors.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Largest error accepted, as a fraction of an output's range.",
)
@click.option("--allow-approximate", is_flag=True, help="Accept forms that are not exact; each is reported.")
@click.option(
    "--allow-pickle",
    is_flag=True,
    allow_from_autoenv=False,
    help="Load files that may run code. Only if you trust them.",
)
@click.option("--label-file", type=FILE, help="Labels to store in the artifact, one per line.")
def command(
    console: Console,
    model: str,
    output: Path | None,
    backend: str | None,
    target: str | None,
    io_layout: str,
    input_shapes: tuple[str, ...],
    opset: int | None,
    fp16: bool,
    verify: bool,
    inputs: Path | None,
    tolerance: float | None,
    allow_approximate: bool,
    allow_pickle: bool,
    label_file: Path | None,
    **flags: Any,
) -> Report:
    """Convert a model for a backend and verify the artifact.

    MODEL is an .onnx, .keras, .h5 or .pt2 file, a SavedModel folder, or `package.module:factory`. Source
    and artifact run on the same inputs and every output is compared. An artifact that differs is kept in
    a folder of its own, and the command exits with 1.
    """
    from edgekit import api
    from edgekit.lowering.backends import file_stem
    from edgekit.report.describe import artifact as describe

    console.subject = Subject(Path(model).name or model)
    target = project_target(target)
    backend = backend or dialect_of(target)
    check_owners(click.get_current_context(), backend)
    labels = label_text(label_file) if label_file else None
    with console.stages() as stage:
        stage("import")  # `convert` names the later ones
        source = api.load(model, allow_pickle=allow_pickle, input_shapes=shapes(input_shapes))
        folder = output or Path(f"{file_stem(source)}-{folder_word(backend, target)}")
        if flags["tune"] and flags["tuning_log"] is None:
            flags["tuning_log"] = folder.with_name(folder.name + TUNING)
        artifact = api.convert(
            source,
            backend,
            target=target,
            io_layout=io_layout,
            opset=opset,
            fp16=fp16,
            allow_approximate=allow_approximate,
            verify=verify,
            inputs=inputs,
            tolerance=tolerance,
            labels=labels,
            options=options_for(backend, flags),
            progress=stage,
        )
        stage("write")
        folder = save(artifact, folder)
    report = describe.report(artifact, source, folder=folder, path=model, wanted=verify)
    report = replace(report, environment={**environment(), **report.environment})
    write_text(folder / describe.REPORT_NAME, render(report, "json"))
    return report


def dialect_of(target: str | None) -> str:
    """Returns the backend that a target takes; TFLite without a target."""
    if target is None:
        return "tflite"
    from edgekit.compat.targets import target as load_target

    return load_target(target).dialect


def folder_word(backend: str, target: str | None) -> str:
    """Returns what a folder is called after: the target, else the backend."""
    return backend if target is None else Path(target).stem


def save(artifact: Artifact, folder: Path) -> Path:
    """Writes the artifact; one that differs from its source never takes the place of a good one."""
    differs = artifact.verification is not None and artifact.verification.verdict == "mismatch"
    return artifact.save(folder.with_name(folder.name + ASIDE) if differs else folder)


def shapes(texts: Sequence[str], option: str = "--input-shape") -> dict[str, tuple[int, ...]]:
    """Reads `NAME=1x3x224x224`; the name may hold an equals sign.

    Raises:
        EdgekitError: EK205 for anything else, or two shapes of one input.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        if not name or name in shapes or not re.fullmatch(r"[0-9]+(x[0-9]+)*", sizes):
            why = "is given twice" if name in shapes else "is not of the form `NAME=1x3x224x224`"
            raise error("EK205", f"`{option} {text}` {why}")
        shapes[name] = tuple(map(int, sizes.split("x")))
    return shapes


def label_text(path: Path) -> str:
    """Reads a label file.

    Raises:
        EdgekitError: EK101 if it cannot be opened, EK102 if it is not UTF-8 text.
    """
    where = Where(file=str(path))
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as failure:
        raise error("EK102", f"`{path}` is not UTF-8 text", where=where) from failure
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK101", f"`{path}` cannot be opened: {reason}", where=where) from failure
