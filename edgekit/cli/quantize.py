"""`edgekit quantize`: a float model in, an integer artifact and what it costs out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import Console
from edgekit.cli.convert import convert
from edgekit.cli.frame import command as make
from edgekit.cli.model_flags import model_flags
from edgekit.cli.quantize_flags import quantize_flags
from edgekit.report import Report


@make("quantize", output=False)
@model_flags("MODEL-BACKEND-SCHEME, or MODEL-TARGET-SCHEME")
@quantize_flags("the target's, else int8")
@click.option("--pareto", is_flag=True, help="All schemes side by side: size, latency, accuracy.")
def command(console: Console, model: str, output: Path | None, pareto: bool, **flags: Any) -> Report:
    """Quantise a float model after training, convert it and verify the artifact.

    The artifact is compared with the quantised model in ONNX Runtime, in steps of the quantisation where its
    outputs are quantised: that is the verdict. What the quantisation costs against the float model is a
    table of the report, and decides only if `--max-drop` is given.
    """
    if pareto:
        from edgekit.cli.pareto import pareto as compare

        return compare(console, model, output, **flags)
    return convert(console, "quantize", model, output, **flags)
