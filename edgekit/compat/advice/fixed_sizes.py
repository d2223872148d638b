"""Sizes that the model leaves open are fixed to 1: most compilers want every shape known."""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from edgekit.compat.advice.table import TABLE, Advice, Claim
from edgekit.passes import normalise
from edgekit.passes.edit import all_graphs
from edgekit.passes.pipeline import FOLD_LIMIT_BYTES


def fix_batch(model: ir.Model, nodes: Collection[str]) -> int:
    """Fixes the first axis of every input that leaves it open; what follows is inferred anew."""
    changed = 0
    for value in model.graph.inputs:
        if value.name in model.graph.initializers or value.shape is None or not len(value.shape):
            continue
        if not isinstance(value.shape[0], int):
            value.shape = ir.Shape([1, *list(value.shape)[1:]])
            changed += 1
    if changed:
        _forget_shapes(model)
        normalise.call(model, FOLD_LIMIT_BYTES)
    return changed


def _forget_shapes(model: ir.Model) -> None:
    for graph in all_graphs(model.graph):
        for node in graph:
            for value in node.outputs:
                value.shape = None if not value.is_graph_output() else _open(value)


def _open(value: ir.Value) -> ir.Shape | None:
    return None if value.shape is None else ir.Shape([None] * len(value.shape))


TABLE["fixed-batch"] = Advice("fixed-batch", "an open batch becomes a batch of 1", Claim.EXACT, "", fix_batch)
