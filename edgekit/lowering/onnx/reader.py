"""Reads an ONNX graph into a ledger: the ops, tensors and origins that the file holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from edgekit.ir import Model, Origin, numpy_dtype, origin_of
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph, TensorMap, Value


def read_onnx(model: Model, origins: Mapping[str, Origin] | None = None) -> Lowered:
    """Reads a model as a ledger of ONNX ops.

    Args:
        model: Any model of the hub IR. Shapes are taken as the graph states them.
        origins: Where each value comes from, by its name, for nodes that do not say it themselves.

    Returns:
        The ledger. An op of another domain than ONNX's own is called `domain.Op`. Constants, also those
        of Constant nodes, are values with data. Unknown sizes are `None`.
    """
    reader = _Reader(origins or {})
    main = reader.graph(model.ir.graph, {}, model.name)
    inputs, outputs = tuple(map(TensorMap, main.inputs)), tuple(map(TensorMap, main.outputs))
    tensors = {name: TensorMap(value) for value, name in main.names.items()}
    return Lowered("onnx", main, inputs, outputs, (), tensors)


class _Reader:
    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self.origins = origins

    def graph(self, graph: ir.Graph, outer: Mapping[ir.Value, Value], name: str) -> Subgraph:
        known = dict(outer)
        names: dict[Value, str] = {}
        for value in graph.inputs:
            if value.name not in graph.initializers:
                self.bind(value, known, names)
        for value in graph.initializers.values():
            self.bind(value, known, names)
        ops = [op for node in graph if (op := self.node(node, known, names)) is not None]
        inputs = tuple(known[v] for v in graph.inputs if v.name not in graph.initializers)
        outputs = tuple(known.get(v) or self.bind(v, known, names) for v in graph.outputs)
        return Subgraph(name, inputs, outputs, tuple(ops), names)

    def node(self, node: ir.Node, known: dict[ir.Value, Value], names: dict[Value, str]) -> Emitted | None:
        if node.op_type == "Constant" and not node.domain:
            self.constant(node, known, names)
            return None
        inputs = tuple(
            None if v is None else known.get(v) or self.bind(v, known, names) for v in node.inputs
        )
        outputs = tuple(self.bind(v, known, names) for v in node.outputs)
        op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        attrs = {key: self.attribute(a, known, key) for key, a in node.attributes.items()}
        return Emitted(op, inputs, outputs, attrs, self.origin(node))

    def constant(self, node: ir.Node, known: dict[ir.Value, Value], names: dict[Value, str]) -> None:
        result = node.outputs[0]
        attribute = next(iter(node.attributes.values()), None)
        tensor = attribute.value if attribute is not None else None
        if isinstance(tensor, ir.TensorProtocol):
            known[result] = _constant(tensor)
        elif tensor is not None and not isinstance(tensor, ir.SparseTensor):
            known[result] = _constant(ir.tensor(tensor))
        else:
            self.bind(result, known, names)

    def bind(self, value: ir.Value, known: dict[ir.Value, Value], names: dict[Value, str]) -> Value:
        if value.const_value is not None:
            made = _constant(value.const_value)
        else:
            sizes = () if value.shape is None else tuple(d if isinstance(d, int) else None for d in value.shape)
            made = Value(numpy_dtype(value.dtype), sizes)
        known[value] = made
        if value.name:
            names[made] = value.name
        return made

    def attribute(self, attribute: Any, known: Mapping[ir.Value, Value], name: str) -> Any:
        value = attribute.value
        return self.graph(value, known, name) if isinstance(value, ir.Graph) else value

    def origin(self, node: ir.Node) -> Origin:
        own = origin_of(node)
        if own.nodes:
            return own
        found = Origin()
        for value in node.outputs:
            found = found | self.origins.get(value.name or "", Origin())
        return found


def _constant(tensor: ir.TensorProtocol) -> Value:
    data = tensor.numpy()
    return Value(data.dtype, data.shape, data)
