"""`edgekit run`: an artifact or a model on given inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import FILE
from edgekit.cli.frame import command as make
from edgekit.diagnostics import Where, error
from edgekit.report import Report, Subject, Verdict, VerdictStatus

_BARE = {".tflite": "tflite", ".onnx": "onnx"}


@make("run", output=False)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="An input: .npy, .npz or .safetensors; without a name, all arrays of the file. Repeatable.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    help="Take only this entry of the first axis of every array, as a batch of one.",
)
@click.option("-o", "--output", type=FILE, help="Save the outputs as .npz.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=300.0, help="Seconds for the run."
)
def command(
    console: Console,
    artifact: Path,
    inputs: tuple[str, ...],
    sample: int | None,
    output: Path | None,
    timeout: float,
) -> Report:
    """Run an artifact or a model on given inputs.

    ARTIFACT is a folder that `edgekit convert` wrote; its inputs and outputs are those of the source
    model, in its names, layout and dtypes. A bare .tflite or .onnx file runs as it is. The model runs in
    a child process, so that a runtime that aborts does no harm.
    """
    console.subject = Subject(artifact.name, path=str(artifact))
    if output is not None and output.suffix != ".npz":
        raise error("EK506", f"`{output}` has no suffix of a known kind", help="outputs are saved as `.npz`")
    with console.stages() as stage:
        stage("run")
        outputs, runner = _run(artifact, inputs, sample, timeout)
    if output is not None:
        _save(output, outputs)
    return _report(artifact, outputs, runner, output)


def _run(path: Path, inputs: Sequence[str], sample: int | None, timeout: float) -> tuple[dict[str, Any], str]:
    from edgekit import api
    from edgekit.runners import runner_for
    from edgekit.runners.execute import run_artifact

    backend = _BARE.get(path.suffix.lower())
    if backend is not None and not path.is_dir():
        if not path.is_file():
            raise error("EK101", f"`{path}` does not exist", where=Where(file=str(path)))
        with runner_for(backend, timeout_s=timeout) as runner:
            names = [port.name for port in runner.ports(path).inputs]
            return runner.run(
                path, pick(read_inputs(inputs, names), sample)
            ), f"{runner.name} {runner.version}"
    opened = api.open(path)
    with runner_for(opened.backend, timeout_s=timeout) as runner:
        arrays = pick(read_inputs(inputs, [spec.name for spec in opened.inputs]), sample)
        return run_artifact(opened, arrays, runner), f"{runner.name} {runner.version}"


def read_inputs(given: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Reads the files named on the command line.

    Args:
        given: Each `NAME=FILE` or `FILE`.
        names: The inputs of the model; a name before `=` that is none of them belongs to the file.

    Returns:
        Arrays by input name. Whether they fit is for the runner to say.

    Raises:
        EdgekitError: EK101 or EK505 if a file cannot be read, EK505 if an input is given twice.
    """
    from edgekit.consistency.samples import read_arrays

    arrays: dict[str, Any] = {}
    for text in given:
        name, equals, file = text.partition("=")
        named = bool(equals) and (name in names or not Path(text).exists())
        path = Path(file) if named else Path(text)
        found = read_arrays(path, [name] if named else names)
        if named:
            found = {name: _only(found, name, path)}
        for key, array in found.items():
            if key in arrays:
                raise error("EK505", f"the input `{key}` is given twice", where=Where(file=str(path)))
            arrays[key] = array
    return arrays


def pick(arrays: Mapping[str, Any], sample: int | None) -> dict[str, Any]:
    """Takes one entry of the first axis of every array, or the arrays as they are.

    Raises:
        EdgekitError: EK505 for arrays that have no such entry.
    """
    if sample is None:
        return dict(arrays)
    short = [name for name, array in arrays.items() if array.ndim == 0 or len(array) <= sample]
    if short:
        names = ", ".join(f"`{name}`" for name in short)
        raise error("EK505", f"there is no sample {sample} in {names}; samples count from 0")
    return {name: array[sample : sample + 1] for name, array in arrays.items()}


def _only(arrays: Mapping[str, Any], name: str, path: Path) -> Any:
    """Returns the array of that name, or the only one of the file."""
    if name in arrays:
        return arrays[name]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    held = ", ".join(f"`{key}`" for key in arrays)
    raise error(
        "EK505", f"`{path}` holds no array `{name}`", where=Where(file=str(path)), notes=[f"it holds {held}"]
    )


def _save(path: Path, outputs: Mapping[str, Any]) -> None:
    """Writes all outputs at once or not at all."""
    import numpy as np

    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, **outputs)
        partial.replace(path)
    except OSError as failure:
        with suppress(OSError):  # there may be no folder to hold it
            partial.unlink(missing_ok=True)
        reason = (failure.strerror or str(failure)).lower()
        raise error(
            "EK506", f"`{path}` cannot be written: {reason}", where=Where(file=str(path))
        ) from failure


def _report(path: Path, outputs: Mapping[str, Any], runner: str, saved: Path | None) -> Report:
    from edgekit.report.describe.arrays import outputs_table

    tool, _, version = runner.partition(" ")
    count = f"{len(outputs)} output{'' if len(outputs) == 1 else 's'}"
    text = f"`{path}` ran on {runner}, {count}" + (f", saved to `{saved}`" if saved else "")
    return Report(
        "run",
        Subject(path.name, path=str(path)),
        Verdict(VerdictStatus.OK, text),
        (outputs_table(outputs),),
        environment={**environment(), tool: version},
    )
