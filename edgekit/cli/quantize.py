"""`edgekit quantize`: a float model in, an integer artifact and what it costs out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from edgekit.cli.console import Console, environment, write_text
from edgekit.cli.convert import IO_LAYOUTS, folder_word, label_text, save, shapes
from edgekit.cli.frame import FILE
from edgekit.cli.frame import command as make
from edgekit.cli.target import project_target
from edgekit.report import Report, Subject
from edgekit.report.formats import render

BACKENDS = ("tflite", "onnx", "tvm", "coreml")
SCHEMES = ("int8", "int8-per-tensor")
METHODS = ("minmax", "percentile")


@make("quantize", output=False)
@click.argument("model")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the artifact.  [default: MODEL-BACKEND-SCHEME]",
)
@click.option(
    "--backend", type=click.Choice(BACKENDS), default="tflite", show_default=True, help="What to write."
)
@click.option(
    "-t", "--target", metavar="ID", help="A target's id or file; its compiler is run if there is one."
)
@click.option(
    "--scheme", type=click.Choice(SCHEMES), help="The integers.  [default: int8, or what the target asks for]"
)
@click.option(
    "--calibrate",
    type=FILE,
    help="Samples: .npz, .npy or .safetensors.  [default: samples.safetensors beside the model]",
)
@click.option(
    "--method", type=click.Choice(METHODS), default="minmax", show_default=True, help="How ranges are found."
)
@click.option(
    "--percentile",
    type=click.FloatRange(50, 100, min_open=True),
    default=99.99,
    show_default=True,
    help="Share of the values inside the range (`--method percentile`).",
)
@click.option("--require-full-integer", is_flag=True, help="Refuse a model that stays in float anywhere.")
@click.option("--integer-io", is_flag=True, help="Public inputs and outputs are integers.")
@click.option("--exact-functions", is_flag=True, help="Tables where integer kernels are not exact (TFLite).")
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
@click.option("--verify/--no-verify", default=True, help="Compare with the QDQ model.  [default: verify]")
@click.option("--inputs", type=FILE, help="Inputs to verify with.  [default: the calibration samples]")
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
    backend: str,
    target: str | None,
    scheme: str | None,
    calibrate: Path | None,
    method: str,
    percentile: float,
    require_full_integer: bool,
    integer_io: bool,
    exact_functions: bool,
    io_layout: str,
    input_shapes: tuple[str, ...],
    verify: bool,
    inputs: Path | None,
    allow_pickle: bool,
    label_file: Path | None,
) -> Report:
    """Quantise a float model after training, convert it and verify the artifact.

    The artifact is compared with the QDQ model in ONNX Runtime, in steps of the quantisation: that is the
    verdict. What the quantisation costs against the float model is a table of the report and never decides.
    """
    from edgekit import api
    from edgekit.lowering.backends import file_stem
    from edgekit.report.describe import artifact as describe

    console.subject = Subject(Path(model).name or model)
    target = project_target(target)
    labels = label_text(label_file) if label_file else None
    with console.stages() as stage:
        stage("import")
        source = api.load(model, allow_pickle=allow_pickle, input_shapes=shapes(input_shapes))
        artifact = api.quantize(
            source,
            backend,
            target=target,
            scheme=scheme,
            calibrate=calibrate,
            method=method,
            percentile=percentile,
            require_full_integer=require_full_integer,
            integer_io=integer_io,
            exact_functions=exact_functions,
            io_layout=io_layout,
            verify=verify,
            inputs=inputs,
            labels=labels,
            progress=stage,
        )
        stage("write")
        name = artifact.recipe["quantization"]["scheme"]
        folder = save(artifact, output or Path(f"{file_stem(source)}-{folder_word(backend, target)}-{name}"))
    report = describe.report(artifact, source, folder=folder, path=model, wanted=verify, command="quantize")
    report = replace(report, environment={**environment(), **report.environment})
    write_text(folder / describe.REPORT_NAME, render(report, "json"))
    return report
