"""Options of `edgekit convert` that only one backend has: flags, their owners, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edgekit.cli import flags_text

OWNERS: Mapping[str, tuple[str, ...]] = {
    "opset": ("onnx",),
    "fp16": ("onnx",),
    "require_full_integer": ("tflite", "tvm"),
    "integer_io": ("tflite",),
    "exact_functions": ("tflite",),
    "minimum_deployment_target": ("coreml",),
    "precision": ("coreml",),
    "keep_fp32": ("coreml",),
    "image_input": ("coreml",),
    "classifier": ("coreml",),
    "flexible_shape": ("coreml",),
    "state": ("coreml",),
    "compress_weights": ("coreml",),
    "triple": ("tvm",),
    "mcpu": ("tvm",),
    "ndk": ("tvm",),
    "tvm_target": ("tvm",),
    "tune": ("tvm",),
    "tuning_log": ("tvm",),
}
"""The backends that an option belongs to, by its name in Python; all others belong to every backend."""
_RENAMED = {"mcpu": "cpu", "tvm_target": "device"}
"""Names that a recipe has for an option, where they are not the flag's."""
PRECISIONS = ("fp16", "fp32", "mixed")


def tflite_flags(body: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of TFLite."""
    flags = (
        click.option(
            "--require-full-integer",
            is_flag=True,
            help="TFLite, TVM: refuse a quantised model that stays in float anywhere.",
        ),
        click.option("--integer-io", is_flag=True, help="TFLite: quantised inputs and outputs are integers."),
        click.option(
            "--exact-functions", is_flag=True, help="TFLite: tables where integer kernels are not exact."
        ),
    )
    for flag in reversed(flags):
        body = flag(body)
    return body


def coreml_flags(body: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of Core ML."""
    flags = (
        click.option(
            "--minimum-deployment-target",
            metavar="SYSTEM",
            help="Core ML: oldest system, iOS15 to iOS18, macOS12 to macOS15.  [default: iOS18]",
        ),
        click.option(
            "--precision", type=click.Choice(PRECISIONS), help="Core ML: what to compute in.  [default: fp16]"
        ),
        click.option(
            "--keep-fp32",
            multiple=True,
            metavar="NAME",
            help="Core ML: type of op, node or tensor that stays in fp32 (mixed precision). Repeatable.",
        ),
        click.option(
            "--image-input",
            multiple=True,
            metavar="NAME[,scale=S[:S:S]][,bias=B[:B:B]][,colour=C]",
            help="Core ML: an input that takes an image; the model computes on scale * pixel + bias. "
            "Repeatable.",
        ),
        click.option(
            "--classifier",
            metavar="OUTPUT[,label=NAME]",
            help="Core ML: an output that becomes the label with the highest score, and scores by label.",
        ),
        click.option(
            "--flexible-shape",
            multiple=True,
            metavar="NAME=SHAPE[,SHAPE]",
            help="Core ML: shapes that an open input takes: a list `x=1x3x64x64,1x3x96x96` or ranges "
            "`x=1..4x3x64..512x64..512`. Repeatable.",
        ),
        click.option(
            "--state",
            multiple=True,
            metavar="INPUT=OUTPUT",
            help="Core ML: an input that is this output of the run before; the package keeps it. Repeatable.",
        ),
        click.option(
            "--compress-weights",
            metavar="int8[:BLOCK]|int4[:BLOCK]|palettize[:BITS[:GROUP]]|prune[:FRACTION]",
            help="Core ML: how weights are stored.",
        ),
    )
    for flag in reversed(flags):
        body = flag(body)
    return body


def tvm_flags(body: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of TVM."""
    flags = (
        click.option("--triple", help="TVM: LLVM target triple of the library.  [default: this machine]"),
        click.option("--mcpu", help="TVM: CPU that the library is compiled for.  [default: this machine's]"),
        click.option(
            "--ndk", type=click.Path(file_okay=False), help="TVM: folder of Android's NDK, for its triples."
        ),
        click.option(
            "--tvm-target",
            metavar="llvm|cuda|metal|opencl|...",
            help="TVM: what computes; all but `llvm`, the CPU, is compiled only.  [default: llvm]",
        ),
        click.option(
            "--tune",
            type=click.FloatRange(min=0, min_open=True),
            metavar="MINUTES",
            help="TVM: measure schedules on this machine for so long; keeps the faster ones.",
        ),
        click.option(
            "--tuning-log",
            type=click.Path(path_type=Path, dir_okay=False),
            help="TVM: log of measurements to use and, with `--tune`, to go on with.  "
            "[default with --tune: OUTPUT.tuning.jsonl]",
        ),
    )
    for flag in reversed(flags):
        body = flag(body)
    return body


def check_owners(context: click.Context, backend: str) -> None:
    """Refuses flags of another backend that are given on the command line.

    Raises:
        click.UsageError: For the first such flag.
    """
    for name, owners in OWNERS.items():
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and backend not in owners:
            flag = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"`{flag}` belongs to `--backend {owners[0]}`, not to `{backend}`", context
            )


def options_for(backend: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of a backend, as its recipe takes them, from flags that are set."""
    mine = {k: v for k, v in flags.items() if backend in OWNERS.get(k, ()) and v not in (None, (), False)}
    if "keep_fp32" in mine:
        mine["keep_fp32"] = list(mine["keep_fp32"])
    if "image_input" in mine:
        mine["image_input"] = [flags_text.image(text) for text in mine["image_input"]]
    if "classifier" in mine:
        mine["classifier"] = flags_text.classifier(mine["classifier"])
    if "flexible_shape" in mine:
        mine |= flags_text.flexible(mine.pop("flexible_shape"))
    if "state" in mine:
        mine["state"] = flags_text.pairs("--state", mine["state"])
    if "compress_weights" in mine:
        mine["compress_weights"] = flags_text.compression(mine["compress_weights"])
    if "tuning_log" in mine:
        mine["tuning_log"] = str(mine["tuning_log"])
    return {_RENAMED.get(k, k): v for k, v in mine.items() if k not in ("opset", "fp16")}
