"""The pass that puts QuantizeLinear and DequantizeLinear around the ops with integer kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.ir import inherit
from edgekit.passes.edit import constant, failure, is_constant, new_initializer, operand
from edgekit.passes.report import PassReport
from edgekit.quantize.arithmetic import Affine, Array
from edgekit.quantize.calibration import Ranges
from edgekit.quantize.groups import Groups
from edgekit.quantize.roles import Role, Roles, data_inputs, weights_of
from edgekit.quantize.scheme import Scheme
from edgekit.quantize.weights import Stored, scales_for_bias, stored_bias, stored_constant, stored_weights

NAME = "insert-qdq"


def call(model: ir.Model, scheme: Scheme, ranges: Ranges, keep: frozenset[str] = frozenset()) -> PassReport:
    """Quantises the main graph; graphs inside its nodes stay in float.

    Args:
        model: A prepared model, changed in place.
        scheme: What weights and activations become.
        ranges: Lowest and highest value of each activation by name; without meaning for a scheme that
            leaves activations in float.
        keep: Names of nodes that stay in float.

    Returns:
        How many tensors were quantised.

    Raises:
        EdgekitError: EK204 if no node has a name of `keep`, EK403 for weights that are not finite.
    """
    roles = Roles.of(model.graph, scheme, keep)
    affines = Groups.of(model.graph, roles).affines(ranges) if scheme.is_calibrated else {}
    work = _Inserter(model.graph, scheme, roles, affines)
    for node in tuple(model.graph):
        work.constants(node)
    for value in work.affines:
        if not is_constant(value):
            work.activation(value)
    wider = f", {work.widened} scales of weights widened for their bias" if work.widened else ""
    return PassReport(NAME, work.count, f"quantised {work.count} tensors{wider}")


@dataclass(slots=True)
class _Inserter:
    graph: ir.Graph
    scheme: Scheme
    roles: Roles
    affines: dict[ir.Value, Affine]
    count: int = 0
    widened: int = 0

    def activation(self, value: ir.Value) -> None:
        """Lets every reader of a value read what its integers stand for; a public output is that too."""
        quant = self.affines[value]
        readers = list(value.uses())
        is_output = value.is_graph_output()
        if not readers and not is_output:
            return
        self.count += 1
        name = value.name or "value"
        scale, zero = self._parameters(name, np.asarray(quant.scale), quant.zero_point)
        dtype = ir.DataType.from_numpy(quant.codes.numpy)
        q = self._node("QuantizeLinear", value, scale, zero, f"{name}:q", dtype)
        dq = self._node("DequantizeLinear", q.outputs[0], scale, zero, f"{name}:dq", ir.DataType.FLOAT)
        self._place(value, q, dq)
        for use in readers:
            use.node.replace_input_with(use.idx, dq.outputs[0])
        if is_output:
            self._take_over(value, dq.outputs[0])

    def _place(self, value: ir.Value, *made: ir.Node) -> None:
        """Puts nodes behind the one that makes a value; those of a public input come first."""
        anchor = value.producer()
        source = anchor or next((use.node for use in value.uses() if use.node not in made), None)
        for node in made:
            if source is not None:
                inherit(node, source)
            if anchor is None:
                self.graph.insert_before(self.graph[0], node)
            else:
                self.graph.insert_after(anchor, node)
            anchor = node

    def _take_over(self, old: ir.Value, new: ir.Value) -> None:
        """Makes a value the public output that another one was, under the same name."""
        name, old.name = old.name, f"{old.name}:real"
        new.name = name
        for index, output in enumerate(self.graph.outputs):
            if output is old:
                self.graph.outputs[index] = new

    def constants(self, node: ir.Node) -> None:
        """Quantises weights, bias and constant operands of a node."""
        role = self.roles.role(node)
        if role is None:
            return
        if role is Role.WEIGHTED:
            x = operand(node, 0)
            quant = None if x is None else self.affines.get(x)
            if quant is not None or not self.scheme.is_calibrated:
                self._weights(node, quant)
            return
        for index, value in enumerate(node.inputs):
            if value in data_inputs(node) and value in self.affines and is_constant(value):
                data = constant(value)
                assert data is not None
                self._stored(node, index, stored_constant(data, self.affines[value]))

    def _weights(self, node: ir.Node, x: Affine | None) -> None:
        """Quantises weights; the bias too where the units of the products are known."""
        place, weights, bias = weights_of(node), constant(operand(node, 1)), constant(operand(node, 2))
        assert place is not None
        assert weights is not None
        if not np.isfinite(weights).all() or (bias is not None and not np.isfinite(bias).all()):
            raise failure("EK403", node, "its weights are not finite")
        needed = None if x is None or bias is None else scales_for_bias(bias, x, self.scheme)
        held = stored_weights(weights, place, self.scheme)
        if needed is not None and (needed > held.scale).any():
            held = stored_weights(weights, place, self.scheme, needed)
            self.widened += int((needed > held.scale * (1 - 1e-6)).sum())
        self._stored(node, place.index, held)
        if x is not None and bias is not None:
            self._stored(node, 2, stored_bias(bias, x, held))

    def _stored(self, node: ir.Node, index: int, held: Stored) -> None:
        """Puts a constant behind DequantizeLinear in the place of an operand."""
        old = node.inputs[index]
        name = (old.name if old is not None else None) or "constant"
        scale, zero = self._parameters(name, held.scale, held.zero)
        codes = new_initializer(self.graph, held.codes, f"{name}:codes")
        made = self._node("DequantizeLinear", codes, scale, zero, f"{name}:dq", ir.DataType.FLOAT, held)
        inherit(made, node)
        self.graph.insert_before(node, made)
        node.replace_input_with(index, made.outputs[0])
        self.count += 1

    def _parameters(self, name: str, scale: Array, zero: Array | None) -> tuple[ir.Value, ir.Value | None]:
        made = new_initializer(self.graph, np.asarray(scale, np.float32), f"{name}:scale")
        return made, None if zero is None else new_initializer(self.graph, zero, f"{name}:zero")

    def _node(
        self, op: str, x: ir.Value, scale: ir.Value, zero: ir.Value | None, name: str, dtype: ir.DataType,
        held: Stored | None = None,
    ) -> ir.Node:  # fmt: skip
        attrs = [] if held is None or held.axis is None else [ir.AttrInt64("axis", held.axis)]
        attrs += [ir.AttrInt64("block_size", held.block)] if held is not None and held.block else []
        node = ir.Node("", op, [x, scale, *([] if zero is None else [zero])], attrs, name=name)
        result = node.outputs[0]
        result.name, result.shape, result.type = name, x.shape, ir.TensorType(dtype)
        return node
