"""Brings a model to the newest opset, folds constants and infers types: the passes that one walk does."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.diagnostics import error
from edgekit.ir.model import dims_of
from edgekit.ir.spec import Dim
from edgekit.passes.edit import all_graphs
from edgekit.passes.report import PassReport
from edgekit.passes.sweep import Sweep
from edgekit.passes.upgrade import target_opset

UPGRADE, FOLD, INFER = "upgrade-opset", "fold-constants", "infer-types"


def call(model: ir.Model, fold_limit_bytes: int) -> tuple[PassReport, ...]:
    """Walks the model once.

    Args:
        model: A model without functions; changed in place.
        fold_limit_bytes: How many bytes a folded constant may exceed its inputs by.

    Returns:
        What was rewritten, folded and inferred.

    Raises:
        EdgekitError: EK108 for an op version without an adapter, EK114 for a contradiction.
    """
    target, source = target_opset(), model.graph.opset_imports.get("", 1)
    if source > target:
        raise error(
            "EK108",
            f"the model is in opset {source}; the newest that can be read is {target}",
            help="update the package `onnx`, or export the model in an older opset",
        )
    declared = [(v, dims_of(v.shape)) for v in model.graph.outputs]
    sweep = Sweep(target, fold_limit_bytes)
    sweep.graph(model.graph, source)
    for graph in all_graphs(model.graph):
        if "" in graph.opset_imports:
            graph.opset_imports[""] = target
    model.graph.opset_imports[""] = target
    _forget_made_names(model.graph, sweep.symbols.made)
    for (_, before), value in zip(declared, model.graph.outputs, strict=True):
        value.shape = _merged(before, dims_of(value.shape))
    return (
        PassReport(UPGRADE, sweep.upgraded, f"rewrote {sweep.upgraded} nodes to opset {target}"),
        PassReport(
            FOLD,
            sweep.folded + sweep.bound + sweep.inlined,
            f"folded {sweep.folded} nodes, bound {sweep.bound} reshapes, decided {sweep.inlined} branches",
        ),
        PassReport(INFER, sweep.inferred, f"inferred {sweep.inferred} values"),
    )


def _forget_made_names(graph: ir.Graph, made: set[str]) -> None:
    """Sizes that only the walk gave a name to are unknown sizes again."""
    for inner in all_graphs(graph):
        for value in (*inner.inputs, *(v for node in inner for v in node.outputs)):
            sizes = dims_of(value.shape)
            if sizes is not None and any(d in made for d in sizes if isinstance(d, str)):
                value.shape = ir.Shape([None if d in made else d for d in sizes])


def _merged(declared: tuple[Dim, ...] | None, inferred: tuple[Dim, ...] | None) -> ir.Shape | None:
    """What is inferred holds; what is declared of an output fills the gaps."""
    if inferred is None or declared is None or len(declared) != len(inferred):
        sizes = declared if inferred is None else inferred
        return None if sizes is None else ir.Shape(sizes)
    return ir.Shape([a if b is None else b for a, b in zip(declared, inferred, strict=True)])
