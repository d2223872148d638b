"""Computes and stores each thing once: equal initializers, and nodes with equal inputs and attributes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import absorb, all_graphs, drop, subgraphs
from edgekit.passes.report import PassReport

NAME = "deduplicate"
RANDOM = frozenset(
    (
        *("Bernoulli", "Dropout", "Multinomial"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    )
)
PREFIX_BYTES = 4096
"""Tensors are compared in full only when this many leading bytes agree."""
_PLAIN = frozenset(ir.AttributeType[name] for name in ("INT", "INTS", "FLOAT", "FLOATS", "STRING", "STRINGS"))


def call(model: ir.Model) -> PassReport:
    """Merges duplicates within each graph.

    Args:
        model: Changed in place.

    Returns:
        How many nodes and initializers were merged.
    """
    count = sum(
        _initializers(graph) + _nodes(graph, model.graph.opset_imports) for graph in all_graphs(model.graph)
    )
    return PassReport(NAME, count, f"merged {count} duplicates")


def _initializers(graph: ir.Graph) -> int:
    groups: dict[Hashable, list[ir.Value]] = {}
    for value in graph.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.dtype != ir.DataType.STRING and not value.is_graph_output():
            key = (tensor.dtype, tuple(tensor.shape), tensor.nbytes)
            groups.setdefault(key, []).append(value)
    return sum(_merge_equal(group) for group in groups.values() if len(group) > 1)


def _merge_equal(values: Iterable[ir.Value]) -> int:
    count = 0
    kept: dict[bytes, list[tuple[ir.Value, np.ndarray]]] = {}
    for value in values:
        assert value.const_value is not None
        data = np.asarray(value.const_value.numpy(), order="C").reshape(-1).view(np.uint8)
        candidates = kept.setdefault(data[:PREFIX_BYTES].tobytes(), [])
        twin = next((v for v, known in candidates if np.array_equal(known, data)), None)
        if twin is None:
            candidates.append((value, data))
        else:
            value.replace_all_uses_with(twin)
            count += 1
    return count


def _nodes(graph: ir.Graph, opsets: dict[str, int]) -> int:
    known: dict[Hashable, ir.Node] = {}
    count = 0
    for node in tuple(graph):
        key = _key(node, opsets)
        if key is None:
            continue
        twin = known.setdefault(key, node)
        if twin is not node and not any(v.is_graph_output() for v in node.outputs):
            for old, new in zip(node.outputs, twin.outputs, strict=True):
                old.replace_all_uses_with(new)
            absorb(twin, node)
            drop(node)
            count += 1
    return count


def _key(node: ir.Node, opsets: dict[str, int]) -> Hashable | None:
    """Returns what determines the results of a node, or `None` when they are not determined."""
    if node.domain or node.op_type in RANDOM or subgraphs(node):
        return None
    attributes = []
    for name, attr in sorted(node.attributes.items()):
        if attr.type not in _PLAIN:
            return None
        value = tuple(attr.value) if isinstance(attr.value, (list, tuple)) else attr.value
        attributes.append((name, attr.type, value))
    omitted = tuple(v.name == "" for v in node.outputs)
    return node.op_type, tuple(map(id, node.inputs)), tuple(attributes), omitted
