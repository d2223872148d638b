"""Scan: version 8 runs once for each element of a batch; version 9 has no batch axis."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.ir import inherit
from edgekit.passes.edit import Maker, all_graphs, attribute
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Scan", to=9)
def loop_over_batch(maker: Maker) -> None:
    """A Scan over the batch, without state, whose body is the Scan of one element."""
    node = maker.node
    if node.inputs[0] is not None:
        raise refuse(node, "`sequence_lens` is given")
    directions = attribute(node, "directions")
    count = int(attribute(node, "num_scan_inputs"))
    actual = [v for v in node.inputs[1:] if v is not None]
    formal = [ir.Value(name=f"{v.name}:element", type=v.type) for v in actual]
    body = node.attributes["body"].as_graph()
    inner = ir.Node(
        "",
        "Scan",
        formal,
        ir.convenience.convert_attributes(
            {"num_scan_inputs": count} | ({"scan_input_directions": list(directions)} if directions else {})
        ),
        num_outputs=len(node.outputs),
        name=f"{node.name}:element",
    )
    del node.attributes["body"]
    inner.attributes["body"] = ir.AttrGraph("body", body)
    inherit(inner, node)
    # Only the two Scans are written in version 9; the body stays in version 8, the only one below.
    inner.version = 9
    for graph in all_graphs(body):
        for part in graph:
            part.version = part.version or 8
    for old, new in zip(node.outputs, inner.outputs, strict=True):
        new.name, new.type = f"{old.name}:element", old.type
    wrapper = ir.Graph(formal, list(inner.outputs), nodes=[inner], name=f"{node.name}:batch")
    outer = maker.ops("Scan", *actual, outputs=len(node.outputs), num_scan_inputs=len(actual), body=wrapper)
    maker.replace(*outer)
