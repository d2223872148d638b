"""The pass that puts QuantizeLinear and DequantizeLinear around the ops with integer kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.ir import inherit
from edgekit.passes.edit import constant, is_constant, new_initializer, operand
from edgekit.passes.report import PassReport
from edgekit.quantize.arithmetic import Affine, Array, codes, symmetric_codes, symmetric_scales
from edgekit.quantize.calibration import Ranges
from edgekit.quantize.groups import Groups
from edgekit.quantize.roles import Role, Roles, data_inputs, weights_of
from edgekit.quantize.scheme import Scheme

NAME = "insert-qdq"
_BIAS_LIMIT = 2.0**30
"""Largest bias in units of its scale; the scale of the weights grows where it would be more."""


def call(model: ir.Model, scheme: Scheme, ranges: Ranges, keep: frozenset[str] = frozenset()) -> PassReport:
    """Quantises the main graph; graphs inside its nodes stay in float.

    Args:
        model: A prepared model, changed in place.
        scheme: What the weights become.
        ranges: Lowest and highest value of each activation by name.
        keep: Names of nodes that stay in float.

    Returns:
        How many tensors were quantised.

    Raises:
        EdgekitError: EK204 if no node has a name of `keep`.
    """
    roles = Roles.of(model.graph, keep)
    work = _Inserter(model.graph, scheme, roles, Groups.of(model.graph, roles).affines(ranges))
    for node in tuple(model.graph):
        work.constants(node)
    for value in work.affines:
        if not is_constant(value):
            work.activation(value)
    return PassReport(NAME, work.count, f"quantised {work.count} tensors")


@dataclass(slots=True)
class _Inserter:
    graph: ir.Graph
    scheme: Scheme
    roles: Roles
    affines: dict[ir.Value, Affine]
    count: int = 0

    def activation(self, value: ir.Value) -> None:
        """Lets every reader of a value read what its integers stand for; a public output is that too."""
        quant, before = self.affines[value], value.producer()
        readers = list(value.uses())
        is_output = value.is_graph_output()
        if not readers and not is_output:
            return
        self.count += 1
        name = value.name or "value"
        scale, zero = self._parameters(name, np.asarray(quant.scale), np.asarray(quant.zero, np.int8))
        q = self._node("QuantizeLinear", value, scale, zero, f"{name}:q", ir.DataType.INT8)
        dq = self._node("DequantizeLinear", q.outputs[0], scale, zero, f"{name}:dq", ir.DataType.FLOAT)
        anchor = before
        for node in (q, dq):
            if before is not None:
                inherit(node, before)
            elif readers:
                inherit(node, readers[0].node)
            if anchor is None:
                first = self.graph[0]
                self.graph.insert_before(first, node)
            else:
                self.graph.insert_after(anchor, node)
            anchor = node
        for use in readers:
            use.node.replace_input_with(use.idx, dq.outputs[0])
        if is_output:
            self._take_over(value, dq.outputs[0])

    def _take_over(self, old: ir.Value, new: ir.Value) -> None:
        """Makes a value the public output that another one was, under the same name."""
        name, old.name = old.name, f"{old.name}:real"
        new.name = name
        for index, output in enumerate(self.graph.outputs):
            if output is old:
                self.graph.outputs[index] = new

    def constants(self, node: ir.Node) -> None:
        """Quantises weights, bias and constant operands of a node whose activations are quantised."""
        role = self.roles.role(node)
        if role is None:
            return
        if role is Role.WEIGHTED:
            x = operand(node, 0)
            if x is not None and x in self.affines:
                self._weights(node, self.affines[x])
            return
        for index, value in enumerate(node.inputs):
            if value in data_inputs(node) and value in self.affines and is_constant(value):
                quant = self.affines[value]
                data = constant(value)
                assert data is not None
                parameters = np.asarray(quant.scale), np.asarray(quant.zero, np.int8)
                self._stored(node, index, codes(data, quant), *parameters, None)

    def _weights(self, node: ir.Node, x: Affine) -> None:
        place = weights_of(node)
        weights = constant(operand(node, 1))
        assert place is not None
        assert weights is not None
        axis = place.axis if self.scheme.per_channel else None
        scales = symmetric_scales(weights, axis)
        bias = constant(operand(node, 2))
        if bias is not None:
            needed = np.abs(bias.reshape(-1)).astype(np.float64) / (float(x.scale) * _BIAS_LIMIT)
            scales = np.maximum(scales, needed if axis is not None else needed.max(initial=0)).astype(
                np.float32
            )
        self._stored(
            node,
            place.index,
            symmetric_codes(weights, scales, axis),
            scales,
            np.zeros(scales.shape, np.int8),
            axis,
        )
        if bias is not None:
            self._bias(node, bias, np.asarray(scales * x.scale, np.float32), axis is not None)

    def _bias(self, node: ir.Node, bias: Array, scales: Array, per_channel: bool) -> None:
        whole = np.rint(bias.astype(np.float64) / scales.astype(np.float64)).astype(np.int32)
        axis = bias.ndim - 1 if per_channel and scales.size > 1 else None
        scales = scales if axis is not None else scales.reshape(())
        self._stored(node, 2, whole, scales, None, axis)

    def _stored(
        self, node: ir.Node, index: int, data: Array, scale: Array, zero: Array | None, axis: int | None
    ) -> None:
        """Puts a constant behind DequantizeLinear in the place of an operand."""
        old = node.inputs[index]
        name = (old.name if old is not None else None) or "constant"
        scale_value, zero_value = self._parameters(name, scale, zero)
        held = new_initializer(self.graph, data, f"{name}:codes")
        made = self._node(
            "DequantizeLinear", held, scale_value, zero_value, f"{name}:dq", ir.DataType.FLOAT, axis
        )
        inherit(made, node)
        self.graph.insert_before(node, made)
        node.replace_input_with(index, made.outputs[0])
        self.count += 1

    def _parameters(self, name: str, scale: Array, zero: Array | None) -> tuple[ir.Value, ir.Value | None]:
        made = new_initializer(self.graph, np.asarray(scale, np.float32), f"{name}:scale")
        return made, None if zero is None else new_initializer(self.graph, zero, f"{name}:zero")

    def _node(
        self, op: str, x: ir.Value, scale: ir.Value, zero: ir.Value | None, name: str, dtype: ir.DataType,
        axis: int | None = None,
    ) -> ir.Node:  # fmt: skip
        attrs = [] if axis is None else [ir.AttrInt64("axis", axis)]
        node = ir.Node("", op, [x, scale, *([] if zero is None else [zero])], attrs, name=name)
        result = node.outputs[0]
        result.name, result.shape, result.type = name, x.shape, ir.TensorType(dtype)
        return node
