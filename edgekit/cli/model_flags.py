"""The options that every command has which makes an artifact of a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgekit.cli.backend_options import coreml_flags, tflite_flags, tvm_flags
from edgekit.cli.frame import FILE

BACKENDS = ("tflite", "onnx", "coreml", "tvm")
IO_LAYOUTS = ("source", "nhwc")

_BEFORE = (
    click.argument("model"),
    click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        help="What to write.  [default: tflite, or what the target takes]",
    ),
    click.option(
        "-t", "--target", metavar="ID", help="A target's id or file; its compiler is run if there is one."
    ),
    click.option(
        "--io-layout",
        type=click.Choice(IO_LAYOUTS),
        default="source",
        show_default=True,
        help="Layout of public inputs and outputs.",
    ),
    click.option(
        "--input-shape",
        "input_shapes",
        multiple=True,
        metavar="NAME=1x3x224x224",
        help="Fix the sizes of an input that the model leaves open. Repeatable.",
    ),
    click.option("--opset", type=click.IntRange(min=7), help="Opset of an ONNX artifact."),
)
_AFTER = (
    click.option(
        "--verify/--no-verify", default=True, help="Run the artifact and compare.  [default: verify]"
    ),
    click.option("--inputs", type=FILE, help="Inputs to verify with: .npz, .npy or .safetensors."),
    click.option(
        "--tolerance",
        type=click.FloatRange(min=0),
        help="Largest error accepted, as a fraction of an output's range.",
    ),
    click.option(
        "--allow-approximate", is_flag=True, help="Accept forms that are not exact; each is reported."
    ),
    click.option(
        "--allow-pickle",
        is_flag=True,
        allow_from_autoenv=False,
        help="Load files that may run code. Only if you trust them.",
    ),
    click.option("--label-file", type=FILE, help="Labels to store in the artifact, one per line."),
)


def model_flags(folder: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options.

    Args:
        folder: The default of `--output`, in words.
    """
    output = click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Folder for the artifact.  [default: {folder}]",
    )

    def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
        for flag in reversed(_AFTER):
            body = flag(body)
        body = tflite_flags(coreml_flags(tvm_flags(body)))
        for flag in reversed((_BEFORE[0], output, *_BEFORE[1:])):
            body = flag(body)
        return body

    return decorate
