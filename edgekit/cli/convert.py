"""`edgekit convert`: a model in, a verified artifact and its report out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.backend_options import check_owners, options_for
from edgekit.cli.console import Console, environment, write_text
from edgekit.cli.frame import command as make
from edgekit.cli.model_flags import model_flags
from edgekit.cli.quantize_flags import quantize_flags, take
from edgekit.cli.target import project_target
from edgekit.diagnostics import Where, error
from edgekit.report import Report, Subject
from edgekit.report.formats import render

if TYPE_CHECKING:
    from edgekit.artifact import Artifact

PASSED_ON = ("io_layout", "opset", "inputs", "tolerance", "allow_approximate")
"""Options that the Python API takes under the same name."""
ASIDE = ".mismatch"
"""Ending of the folder that gets an artifact which differs from its source."""

TUNING = ".tuning.jsonl"
"""Ending of the log of tuning beside the folder of the artifact."""


@make("convert", output=False)
@model_flags("MODEL-BACKEND, or MODEL-TARGET")
@click.option("--fp16", is_flag=True, help="Make a float16 ONNX artifact.")
@quantize_flags(None)
def command(console: Console, model: str, output: Path | None, fp16: bool, **flags: Any) -> Report:
    """Convert a model for a backend and verify the artifact.

    MODEL is an .onnx, .tflite, .keras, .h5 or .pt2 file, a SavedModel folder, or
    `package.module:factory`. Source and artifact run on the same inputs and every output is compared. An
    artifact that differs is kept in a folder of its own, and the command exits with 1. With `--scheme` the
    model is quantised first, as by `edgekit quantize`.
    """
    if fp16 and flags["scheme"] is not None:
        raise click.UsageError("`--fp16` and `--scheme` exclude each other: `--scheme fp16` is the scheme")
    return convert(console, "convert", model, output, fp16=fp16, **flags)


def convert(
    console: Console,
    name: str,
    model: str,
    output: Path | None,
    *,
    backend: str | None,
    target: str | None,
    scheme: str | None,
    input_shapes: tuple[str, ...],
    allow_pickle: bool,
    label_file: Path | None,
    verify: bool,
    fp16: bool = False,
    **flags: Any,
) -> Report:
    """Does the work of `convert` and `quantize`.

    Args:
        console: Where progress is shown.
        name: The command.
        model: What to load.
        output: The folder to write.
        backend: The backend; `None` for the target's.
        target: Id or path of a target.
        scheme: How to quantise; `None` for not at all.
        input_shapes: Sizes, as `shapes` reads them.
        allow_pickle: Whether files that run code may be loaded.
        label_file: Labels to store.
        verify: Whether to run the artifact.
        fp16: Whether to make a float16 ONNX artifact.
        flags: The options of backends and of quantisation, and those that the Python API takes.
    """
    from edgekit import api
    from edgekit.lowering.backends import file_stem
    from edgekit.report.describe import artifact as describe

    console.subject = Subject(Path(model).name or model)
    context = click.get_current_context()
    target = project_target(target)
    backend = backend or dialect_of(target)
    check_owners(context, backend)
    if name == "quantize":
        scheme = scheme or scheme_of(target)
    quantisation = take(context, scheme, flags)
    labels = label_text(label_file) if label_file else None
    common = {option: flags.pop(option) for option in PASSED_ON} | {"verify": verify, "labels": labels}
    with console.stages() as stage:
        stage("import")  # `convert` names the later ones
        source = api.load(model, allow_pickle=allow_pickle, input_shapes=shapes(input_shapes))
        ending = f"-{scheme}" if name == "quantize" else ""
        folder = output or Path(f"{file_stem(source)}-{folder_word(backend, target)}{ending}")
        if flags["tune"] and flags["tuning_log"] is None:
            flags["tuning_log"] = folder.with_name(folder.name + TUNING)
        common |= {"target": target, "options": options_for(backend, flags), "progress": stage}
        if quantisation is None:
            artifact = api.convert(source, backend, fp16=fp16, **common)
        else:
            artifact = api.quantize(source, backend, **common, **quantisation)
        stage("write")
        folder = save(artifact, folder)
    report = describe.report(artifact, source, folder=folder, path=model, wanted=verify, command=name)
    report = replace(report, environment={**environment(), **report.environment})
    write_text(folder / describe.REPORT_NAME, render(report, "json"))
    return report


def dialect_of(target: str | None) -> str:
    """Returns the backend that a target takes; TFLite without a target."""
    if target is None:
        return "tflite"
    from edgekit.compat.targets import target as load_target

    return load_target(target).dialect


def scheme_of(target: str | None) -> str:
    """Returns the scheme that a target names; `int8` without a target."""
    if target is None:
        return "int8"
    from edgekit.compat.numerics import scheme_for
    from edgekit.compat.targets import target as load_target

    return scheme_for(None, load_target(target))


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
