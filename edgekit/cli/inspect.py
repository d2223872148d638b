"""`edgekit inspect`: what a model holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import command as make
from edgekit.report import Fact, Kind, Report, Subject, Verdict, VerdictStatus


@make("inspect")
@click.argument("model")
@click.option(
    "--allow-pickle",
    is_flag=True,
    allow_from_autoenv=False,
    help="Load files that may run code. Only if you trust them.",
)
def command(console: Console, model: str, allow_pickle: bool) -> Report:
    """Show what a model holds: inputs, ops, parameters, arithmetic.

    MODEL is an .onnx, .tflite, .keras, .h5 or .pt2 file, a SavedModel folder, an artifact's folder, or
    `package.module:factory`.
    """
    console.subject = Subject(Path(model).name or model)
    path = Path(model)
    if (path / "manifest.json").is_file():
        return _artifact(path)
    with console.stages() as stage:
        if path.suffix.lower() == ".tflite":
            stage("reading")
            return _tflite(path)
        stage("import")
        return _model(model, allow_pickle)


def _model(source: str, allow_pickle: bool) -> Report:
    from edgekit import api
    from edgekit.report.describe import model as describe

    model = api.load(source, allow_pickle=allow_pickle)
    return Report(
        "inspect",
        describe.subject(model),
        Verdict(VerdictStatus.OK, describe.summary(model)),
        describe.sections(model),
        environment=environment(),
    )


def _tflite(path: Path) -> Report:
    from edgekit.artifact import hash_file
    from edgekit.report.describe import tflite as describe
    from edgekit.tflite.reader import read_tflite

    lowered = read_tflite(path)
    sha256, size = hash_file(path), path.stat().st_size
    facts = (Fact("format", "format", "TFLite"), Fact("sha256", "SHA-256", sha256, Kind.NAME))
    return Report(
        "inspect",
        Subject(path.stem, "TFLite", str(path), sha256, size),
        Verdict(VerdictStatus.OK, describe.summary(lowered, path.name)),
        describe.sections(lowered, facts),
        environment=environment(),
    )


def _artifact(folder: Path) -> Report:
    """Opens the artifact, which checks every hash, and says again what its manifest holds."""
    from edgekit import api
    from edgekit.report.describe import artifact as describe

    artifact = api.open(folder)
    report = describe.report(artifact, None, folder=folder, wanted=False)
    text = f"`{folder}` holds `{artifact.title}`, {report.verdict.status} by its manifest"
    return replace(
        report,
        command="inspect",
        verdict=Verdict(VerdictStatus.OK, text),
        environment={**environment(), **report.environment},
    )
