"""Converts float32 weights and values to float16, with a stated reason for everything that stays.

Inputs and outputs of the model keep their dtype. A node stays in float32 when its schema does not take
float16, when one of its constants does not fit into float16, or when its op is known to need the range
or the precision. Casts stand only where the two worlds meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from onnx import defs

from edgekit.diagnostics import Diagnostic, Severity, Where
from edgekit.ir import Origin, inherit, origin_of
from edgekit.passes.edit import all_graphs, attribute, is_constant, new_initializer, subgraphs
from edgekit.passes.inference import schema_of

LARGEST = float(np.finfo(np.float16).max)
"""65504, the largest finite float16."""

KEEP = {
    "QuantizeLinear": "quantisation parameters keep their precision",
    "DequantizeLinear": "quantisation parameters keep their precision",
    "DynamicQuantizeLinear": "quantisation parameters keep their precision",
    "Range": "positions need more than 11 bits",
    "CumSum": "long sums need more than 11 bits",
    "Resize": "coordinates need more than 11 bits",
    "Cast": "a conversion states its own dtype",
    "CastLike": "a conversion states its own dtype",
    "BitCast": "the bits have a meaning of their own",
    "MelWeightMatrix": "it states its own dtype",
}
"""Ops that stay in float32, and why."""

STATED = ("dtype", "output_dtype", "output_datatype")
"""Attributes that state a dtype: the node keeps it."""


def _by_design(node: ir.Node) -> bool:
    return node.op_type in KEEP or any(name in node.attributes for name in STATED)


def call(model: ir.Model) -> tuple[Diagnostic, ...]:
    """Converts the main graph; graphs inside of If, Loop and Scan stay in float32.

    Args:
        model: A prepared model; changed in place.

    Returns:
        One warning for each reason for which nodes stay in float32 against the wish.
    """
    work = _Half(model.graph, model.graph.opset_imports.get("", 1))
    for node in tuple(model.graph):
        work.node(node)
    work.restore_outputs()
    return tuple(work.warnings())


@dataclass(slots=True)
class _Half:
    graph: ir.Graph
    version: int
    halves: dict[ir.Value, ir.Value] = field(default_factory=dict)
    floats: dict[ir.Value, ir.Value] = field(default_factory=dict)
    kept: dict[str, list[ir.Node]] = field(default_factory=dict)

    def node(self, node: ir.Node) -> None:
        """Makes a node calculate in float16 where it may."""
        reason, found = self._obstacle(node), None
        if reason is None:
            found = self._positions(node)
            if found is None and not _by_design(node) and any(map(self._is_float, node.inputs)):
                reason = f"`{node.op_type}` does not take float16"
        if reason is not None:
            self.kept.setdefault(reason, []).append(node)
        if found is None:
            self._keep(node)
        else:
            self._convert(node, *found)

    def _is_float(self, value: ir.Value | None) -> bool:
        """Tells whether a value is float32, or was before it was converted."""
        return value is not None and (
            value in self.floats
            or (value.dtype == ir.DataType.FLOAT and isinstance(value.type, ir.TensorType))
        )

    def _obstacle(self, node: ir.Node) -> str | None:
        """Returns why a node with float32 operands must stay, or `None`."""
        if not any(map(self._is_float, (*node.inputs, *node.outputs))):
            return None
        if _by_design(node):
            return None  # not against the wish
        if subgraphs(node):
            return f"`{node.op_type}` holds graphs, which stay in float32"
        if schema_of(node.op_type, self.version, node.domain) is None or node.domain:
            return f"`{node.op_type}` is not an op of ONNX"
        for value in node.inputs:
            if value is not None and value.dtype == ir.DataType.FLOAT and is_constant(value):
                largest = _largest(value)
                if largest > LARGEST:
                    return f"`{node.op_type}` has constants of up to {largest:.3g}; float16 ends at 65504"
        return None

    def _positions(self, node: ir.Node) -> tuple[list[int], list[int]] | None:
        """Returns which inputs and outputs become float16; `None` when none, or only a part could."""
        schema = schema_of(node.op_type, self.version, node.domain)
        if schema is None or _by_design(node) or subgraphs(node):
            return None
        if not all(isinstance(v.type, ir.TensorType) for v in node.outputs if v.name != ""):
            return None  # a sequence or optional keeps its element type
        if attribute(node, "reduction", "none") != "none":
            return None  # ONNX Runtime scatters float16 without reduction only
        inputs = self._taking(schema, schema.inputs, node.inputs)
        outputs = self._taking(schema, schema.outputs, node.outputs)
        floats = [v for v in node.outputs if self._is_float(v)]
        return (inputs, outputs) if inputs and (outputs or not floats) else None

    def _taking(
        self,
        schema: defs.OpSchema,
        formals: Sequence[defs.OpSchema.FormalParameter],
        values: Sequence[ir.Value | None],
    ) -> list[int]:
        """Returns the positions of float32 values whose formal parameter may be float16."""
        allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
        return [
            index
            for index, value in enumerate(values)
            if self._is_float(value)
            and "tensor(float16)" in allowed.get(formals[min(index, len(formals) - 1)].type_str, ())
        ]

    def _convert(self, node: ir.Node, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        for index, value in enumerate(node.inputs):
            if value is None:
                continue
            if index in inputs and value not in self.floats:
                node.replace_input_with(index, self._as_half(value, node))
            elif index not in inputs and value in self.floats:
                node.replace_input_with(index, self._as_float(value, node))
        for index in outputs:
            value = node.outputs[index]
            value.type = ir.TensorType(ir.DataType.FLOAT16)
            self.floats[value] = value

    def _keep(self, node: ir.Node) -> None:
        for graph in subgraphs(node):
            for inner in all_graphs(graph):
                for part in inner:
                    self._feed_floats(part, node)
        self._feed_floats(node, node)

    def _feed_floats(self, reader: ir.Node, before: ir.Node) -> None:
        for index, value in enumerate(reader.inputs):
            if value is not None and value in self.floats:
                reader.replace_input_with(index, self._as_float(value, before))

    def _as_half(self, value: ir.Value, before: ir.Node) -> ir.Value:
        if value not in self.halves:
            if is_constant(value):
                assert value.const_value is not None
                array = value.const_value.numpy().astype(np.float16)
                self.halves[value] = new_initializer(self.graph, array, f"{value.name}:half")
            else:
                self.halves[value] = self._cast(value, ir.DataType.FLOAT16, before)
        return self.halves[value]

    def _as_float(self, value: ir.Value, before: ir.Node) -> ir.Value:
        """Returns the float32 form of a value that was converted."""
        if self.floats[value] is value:
            self.floats[value] = self._cast(value, ir.DataType.FLOAT, before)
        return self.floats[value]

    def _cast(self, value: ir.Value, dtype: ir.DataType, before: ir.Node | None) -> ir.Value:
        attributes = [ir.AttrInt64("to", int(dtype))]
        node = ir.Node("", "Cast", [value], attributes, num_outputs=1)
        node.name = f"{value.name}:to_{dtype.name.lower()}"
        result = node.outputs[0]
        result.name, result.type, result.shape = node.name, ir.TensorType(dtype), value.shape
        source = value.producer()
        if source is not None:
            inherit(node, source)
            self.graph.insert_after(source, node)
        elif before is not None:
            inherit(node, before)
            self.graph.insert_before(self.graph[0], node)
        return result

    def restore_outputs(self) -> None:
        """Gives outputs of the model their dtype back, under their names."""
        for index, value in enumerate(self.graph.outputs):
            if value not in self.floats:
                continue
            name = value.name
            value.name = f"{name}:half"
            wide = self.floats[value]
            if wide is value or wide.is_graph_output():
                wide = self._cast(value, ir.DataType.FLOAT, None)
                self.floats[value] = wide
            wide.name = name
            self.graph.outputs[index] = wide

    def warnings(self) -> Iterator[Diagnostic]:
        for reason, nodes in self.kept.items():
            union = Origin()
            for node in nodes:
                union = union | origin_of(node)
            yield Diagnostic(
                "EK304",
                f"kept in float32: {reason}",
                Severity.WARNING,
                Where(union.file, union.line, union.nodes, union.scope),
                data={"count": len(nodes)},
            )


def _largest(value: ir.Value) -> float:
    assert value.const_value is not None
    array = value.const_value.numpy()
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0
