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
from edgekit.diagnostics import Where, error
from edgekit.report import Report, Subject
from edgekit.report.formats import render

if TYPE_CHECKING:
    from edgekit.artifact import Artifact

_PASSED_ON = ("io_layout", "opset", "inputs", "tolerance", "allow_approximate")
"""Options that the Python API takes under the same name."""
ASIDE = ".mismatch"
"""Ending of the folder that gets an artifact which differs from its source."""


@make("convert", output=False)
@model_flags("MODEL-BACKEND")
@click.option("--fp16", is_flag=True, help="Make a float16 ONNX artifact.")
@quantize_flags(None)
def command(console: Console, model: str, output: Path | None, fp16: bool, **flags: Any) -> Report:
    """Convert a model for a backend and verify the artifact.

    MODEL is an .onnx, .keras, .h5 or .pt2 file, a SavedModel folder, or `package.module:factory`. Source
    and artifact run on the same inputs and every output is compared. An artifact that differs is kept in
    a folder of its own, and the command exits with 1. With `--scheme` the model is quantised first, as by
    `edgekit quantize`.
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
    backend: str,
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
        backend: The backend.
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
    check_owners(context, backend)
    quantisation = take(context, scheme, flags)
    labels = label_text(label_file) if label_file else None
    common = {
        option: flags.pop(option) for option in ("io_layout", "inputs", "tolerance", "allow_approximate")
    }
    common |= {"opset": flags.pop("opset"), "verify": verify, "labels": labels}
    with console.stages() as stage:
        stage("import")  # `convert` names the later ones
        source = api.load(model, allow_pickle=allow_pickle, input_shapes=shapes(input_shapes))
        options = options_for(backend, flags)
        if quantisation is None:
            artifact = api.convert(source, backend, fp16=fp16, options=options, progress=stage, **common)
        else:
            artifact = api.quantize(
                source, backend, options=options, progress=stage, **common, **quantisation
            )
        stage("write")
        ending = f"-{scheme}" if name == "quantize" else ""
        folder = save(artifact, output or Path(f"{file_stem(source)}-{backend}{ending}"))
    report = describe.report(artifact, source, folder=folder, path=model, wanted=verify, command=name)
    report = replace(report, environment={**environment(), **report.environment})
    write_text(folder / describe.REPORT_NAME, render(report, "json"))
    return report


def save(artifact: Artifact, folder: Path) -> Path:
    """Writes the artifact; one that differs from its source never takes the place of a good one."""
    differs = artifact.verification is not None and artifact.verification.verdict == "mismatch"
    return artifact.save(folder.with_name(folder.name + ASIDE) if differs else folder)


def shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Reads `NAME=1x3x224x224`; the name may hold an equals sign.

    Raises:
        EdgekitError: EK205 for anything else, or two shapes of one input.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        if not name or name in shapes or not re.fullmatch(r"[0-9]+(x[0-9]+)*", sizes):
            why = "is given twice" if name in shapes else "is not of the form `NAME=1x3x224x224`"
            raise error("EK205", f"`--input-shape {text}` {why}")
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
