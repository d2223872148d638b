"""From a trained PyTorch network to `model.pt2` and `model.onnx`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from .source_paths import portable
from .spec import Recipe

OPSET = 18


def export(net: nn.Module, recipe: Recipe, folder: Path, *, program: bool) -> None:
    """Write the ONNX form and, if `program`, the exported program; both with source lines."""
    example, dynamic = _example(recipe)
    exported = torch.export.export(net, (example,), dynamic_shapes=dynamic, strict=False)
    _make_traces_portable(exported)
    if program:
        torch.export.save(exported, folder / "model.pt2")
    torch.onnx.export(
        exported,
        (example,),
        folder / "model.onnx",
        dynamo=True,
        opset_version=OPSET,
        input_names=[recipe.input.name],
        output_names=[port.name for port in recipe.outputs],
        dynamic_shapes=dynamic,
        external_data=False,
        verbose=False,
    )


def _example(recipe: Recipe) -> tuple[Tensor, tuple[dict[int, Dim]] | None]:
    """An input to trace with, and which of its dimensions are symbolic."""
    batch, *rest = recipe.input.shape
    if isinstance(batch, int):
        return torch.zeros(batch, *(int(d) for d in rest)), None
    # Two, because the exporter treats sizes 0 and 1 as constants.
    return torch.zeros(2, *(int(d) for d in rest)), ({0: Dim(batch)},)


def _make_traces_portable(program: ExportedProgram) -> None:
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                if trace := node.meta.get("stack_trace"):
                    node.meta["stack_trace"] = portable(trace)
