"""The ONNX backend: the prepared graph at a chosen opset, optionally in float16."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic
from edgekit.ir import Model


@dataclass(frozen=True, slots=True)
class EmittedOnnx:
    """An ONNX model ready to be written.

    Attributes:
        ir: The model; weights are shared with the source.
        opset: The version of the default domain.
        diagnostics: Warnings, such as values kept in float32.
    """

    ir: ir.Model
    opset: int
    diagnostics: tuple[Diagnostic, ...] = ()


def emit_onnx(model: Model, *, opset: int | None = None, fp16: bool = False) -> EmittedOnnx:
    """Writes a prepared model as ONNX at a chosen opset.

    Args:
        model: The model that `passes.prepare` returned.
        opset: The opset of the artifact; by default the newest that ONNX Runtime executes.
        fp16: Convert float32 weights and values to float16; inputs and outputs stay float32.

    Returns:
        The model and the warnings found on the way.

    Raises:
        EdgekitError: EK306 naming the op that has no equivalent form at `opset`.
    """
    raise NotImplementedError
