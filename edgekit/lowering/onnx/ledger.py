"""The ledger of an ONNX graph: what toolchains that read ONNX see.

Quantised models arrive as QuantizeLinear and DequantizeLinear around float ops. Toolchains of integer
accelerators read such a group as one integer op, and so does this: a DequantizeLinear before an op and a
QuantizeLinear behind it become the quantisation of the tensors. Those that border on floats stay ops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.ir import Model, Quant, numpy_dtype, origin_of
from edgekit.lowering.ledger import Emitted, Lowered, Shape, Subgraph, TensorMap, Value

_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_FUSED = ("Relu", "Clip")
"""Activations that toolchains compute together with the op before."""


def onnx_ledger(model: Model) -> Lowered:
    """Returns the ops of an ONNX model, quantised groups taken together.

    Args:
        model: The model as imported, or prepared (the newest form of each op).

    Returns:
        The ledger. An op of another domain than ONNX's is called `domain:Op`. Where a rank is unknown the
        tensor has no axes and the dtype `object`: rules then answer unknown.
    """
    reader = _Reader(None)
    main = reader.graph(model.ir.graph)
    tensors = {name: TensorMap(value) for value, name in main.names.items()}
    return Lowered(
        "onnx", main, tuple(map(TensorMap, main.inputs)), tuple(map(TensorMap, main.outputs)), (), tensors
    )


class _Reader:
    """Reads one graph; nested ones get a reader of their own that sees this one's values."""

    def __init__(self, outer: _Reader | None) -> None:
        self.outer = outer
        self.values: dict[ir.Value, Value] = {}
        self.floats: dict[ir.Value, Value] = {}
        self.names: dict[Value, str] = {}
        self.ops: list[Emitted] = []

    def graph(self, graph: ir.Graph) -> Subgraph:
        inputs = tuple(self.find(v) for v in graph.inputs if v.name not in graph.initializers)
        for node in graph:
            self.node(node)
        outputs = tuple(self.real(v) for v in graph.outputs)
        return Subgraph(graph.name or "main", inputs, outputs, tuple(self.ops), self.names)

    def node(self, node: ir.Node) -> None:
        if node.op_type == _DQ and _parameters(node) is not None:
            self.dequantised(node)
            return
        if node.op_type == _Q and (made := node.inputs[0]) is not None and _absorbed(made) is node:
            self.values[node.outputs[0]] = self.find(made)
            return
        integer = _is_integer(node)
        find = self.find if integer else self.real
        inputs = tuple(None if v is None or not _given(v) else find(v) for v in node.inputs)
        outputs = tuple(self.result(v) for v in node.outputs if v.name)
        name = f"{node.domain}:{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        self.ops.append(Emitted(name, inputs, outputs, dict(self.attributes(node)), origin_of(node)))

    def dequantised(self, node: ir.Node) -> None:
        """Keeps the tensor as integers with their quantisation; floats are made when one asks for them."""
        (source, quant), out = (node.inputs[0], _parameters(node)), node.outputs[0]
        assert source is not None
        stored = self.find(source)
        if stored.quant is None:
            stored = Value(stored.dtype, stored.shape, stored.data, quant)
        self.values[out] = stored
        self.name(stored, out)

    def real(self, value: ir.Value) -> Value:
        """Returns a tensor as an op in floats sees it, behind a DequantizeLinear of its own."""
        found = self.find(value)
        producer = value.producer()
        if producer is None or producer.op_type != _DQ or found.quant is None:
            return found
        if value not in self.floats:
            made = Value(_dtype(value), _shape(value), _dequantised(found))
            self.floats[value] = made
            self.name(made, value)
            if made.data is None:
                self.ops.append(Emitted(_DQ, (found,), (made,), {}, origin_of(producer)))
        return self.floats[value]

    def result(self, value: ir.Value) -> Value:
        """Makes what an op defines: integers where only a QuantizeLinear reads it."""
        maker, taker = value.producer(), _coded(value)
        if taker is None and maker is not None and maker.op_type == _Q:
            made = Value(_dtype(value), _shape(value), None, _parameters(maker))
        elif taker is None:
            made = Value(_dtype(value), _shape(value))
        else:
            made = Value(_dtype(taker.outputs[0]), _shape(value), None, _parameters(taker))
        self.values[value] = made
        self.name(made, value)
        return made

    def find(self, value: ir.Value) -> Value:
        reader: _Reader | None = self
        while reader is not None:
            if value in reader.values:
                return reader.values[value]
            reader = reader.outer
        data = (
            value.const_value.numpy() if value.const_value is not None and value.producer() is None else None
        )
        made = Value(
            _dtype(value) if data is None else data.dtype, _shape(value) if data is None else data.shape, data
        )
        self.values[value] = made
        self.name(made, value)
        return made

    def name(self, made: Value, value: ir.Value) -> None:
        if value.name:
            self.names.setdefault(made, value.name)

    def attributes(self, node: ir.Node) -> Iterator[tuple[str, Any]]:
        for name, attr in node.attributes.items():
            value = attr.value
            if isinstance(value, ir.Graph):
                yield name, _Reader(self).graph(value)
            elif isinstance(value, ir.TensorProtocol):
                yield name, value.numpy()
            else:
                yield name, value


def _given(value: ir.Value) -> bool:
    return bool(value.name)


def _dtype(value: ir.Value) -> np.dtype[Any]:
    if value.shape is None or value.dtype is None:
        return np.dtype(object)
    return numpy_dtype(value.dtype)


def _shape(value: ir.Value) -> Shape:
    return () if value.shape is None else tuple(d if isinstance(d, int) else None for d in value.shape)


_CARRIED = frozenset(
    (
        *("Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Swish"),
        *("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"),
    )
)
"""Ops that integer kernels compute together with what comes before, or that only move elements: a value
between an op and one of these is quantised as the result behind it."""


def _absorbed(value: ir.Value) -> ir.Node | None:
    """Returns the QuantizeLinear that decides the integers of a float value, if nothing else reads it."""
    while True:
        users = {use.node for use in value.uses()}
        if len(users) != 1 or value.is_graph_output() or value.producer() is None:
            return None
        (node,) = users
        if node.op_type == _Q and node.inputs[0] is value:
            return node if _parameters(node) is not None else None
        if node.domain or node.op_type not in _CARRIED or node.inputs[0] is not value:
            return None
        value = node.outputs[0]


def _coded(value: ir.Value) -> ir.Node | None:
    """Returns the QuantizeLinear whose codes a float value has.

    An activation is computed with the op before it: between the two lies no QuantizeLinear, and the codes are
    those behind the activation.
    """
    users = {use.node for use in value.uses()}
    if len(users) == 1 and not value.is_graph_output():
        (node,) = users
        others = [v for v in node.inputs[1:] if v is not None]
        limits = node.op_type in _FUSED and node.inputs[0] is value and all(v.const_value for v in others)
        if limits and value.producer() is not None:
            return _absorbed(node.outputs[0])
    return _absorbed(value)


def _dequantised(found: Value) -> np.ndarray[Any, Any] | None:
    """Returns the numbers that the codes of a constant stand for."""
    if found.data is None or found.quant is None:
        return None
    axis = found.quant.axis
    shape = [1] * found.rank
    if axis is not None:
        shape[axis] = -1
    scale, zero = (np.array(v).reshape(shape) for v in (found.quant.scale, found.quant.zero_point))
    numbers: np.ndarray[Any, Any] = ((found.data.astype(np.float64) - zero) * scale).astype(np.float32)
    return numbers


def with_integer_ports(main: Subgraph) -> Subgraph:
    """Lets public inputs and outputs be the codes that the graph makes of them, or that it makes them of."""
    readers = Counter(v for op in main.ops for v in op.inputs if v is not None)
    taken = {
        op.inputs[0]: op.outputs[0]
        for op in main.ops
        if op.op == _Q and op.inputs[0] in main.inputs and readers[op.inputs[0]] == 1
    }
    given = {op.outputs[0]: op.inputs[0] for op in main.ops if op.op == _DQ and op.outputs[0] in main.outputs}
    gone = {*taken.values(), *(v for v in given if not readers[v])}
    return replace(
        main,
        inputs=tuple(taken.get(v, v) for v in main.inputs),
        outputs=tuple(given.get(v) or v for v in main.outputs),
        ops=tuple(op for op in main.ops if op.outputs[0] not in gone),
    )


def _is_integer(node: ir.Node) -> bool:
    """Tells whether all results of a node are quantised, so that it is one integer op with its operands."""
    if node.op_type == _Q:
        return False
    return all(_coded(v) is not None or _dtype(v).kind in "iub" for v in node.outputs if v.name)


def _parameters(node: ir.Node) -> Quant | None:
    """Returns scale and zero point of a QuantizeLinear or DequantizeLinear that are constant."""
    scale, zero = (_constant(node, i) for i in (1, 2))
    if scale is None or (zero is None and len(node.inputs) > 2 and node.inputs[2] is not None):
        return None
    scales = scale.reshape(-1).astype(float)
    zeros = np.zeros(scales.shape, int) if zero is None else zero.reshape(-1).astype(int)
    if len(zeros) != len(scales) or scale.ndim > 1:
        return None  # blocked quantisation has no axis
    axis = node.attributes["axis"].value if "axis" in node.attributes else 1
    return Quant(tuple(scales.tolist()), tuple(zeros.tolist()), axis if len(scales) > 1 else None)


def _constant(node: ir.Node, index: int) -> np.ndarray[Any, Any] | None:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None or value.const_value is None:
        return None
    found: np.ndarray[Any, Any] = value.const_value.numpy()
    return found
