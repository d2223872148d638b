"""Puts ops together again that exporters took apart: one file per op."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.affine import FLOATS
from edgekit.passes.edit import Maker, all_graphs
from edgekit.passes.recognise import gelu, hard_swish, layer_norm
from edgekit.passes.recognise.match import Match
from edgekit.passes.report import PassReport

NAME = "recognise"
RECOGNISERS = (hard_swish.match, gelu.match, layer_norm.match)


def call(model: ir.Model) -> PassReport:
    """Rewrites every pattern found; its other nodes stay only where something else reads them.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many ops were recognised.
    """
    found: dict[str, int] = {}
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.domain or len(node.outputs) != 1 or node.outputs[0].dtype not in FLOATS:
                continue
            match = next((m for each in RECOGNISERS if (m := each(node)) is not None), None)
            if match is not None:
                _rewrite(node, match)
                found[match.op_type] = found.get(match.op_type, 0) + 1
    names = ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
    return PassReport(NAME, sum(found.values()), f"recognised {names}" if names else "recognised nothing")


def _rewrite(node: ir.Node, match: Match) -> None:
    maker = Maker(node, *match.nodes)
    dtype = node.outputs[0].dtype
    operands = [
        maker.const(v, dtype, f"operand{i}") if isinstance(v, np.ndarray) else v
        for i, v in enumerate(match.inputs)
    ]
    maker.replace(maker.op(match.op_type, *operands, **match.attributes))
