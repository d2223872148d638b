"""Measures what each rounding alone does to the layer that reads it, all layers in one run.

The model computes in float throughout. Beside every layer stands the same op on rounded operands: once with
rounded activations, once with rounded weights. What both make of the same input is compared inside the graph,
and only one number per channel leaves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from edgekit.ir import Model, inherit
from edgekit.passes.edit import new_initializer, producer, rank_of
from edgekit.quantize.groups import Groups
from edgekit.quantize.pairs import channel_axis
from edgekit.quantize.roles import Role, Roles, role_of
from edgekit.quantize.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Probe:
    """One kind of rounding at one layer.

    Attributes:
        node: The layer.
        kind: `weights`, or `activations`: what it reads, or what it makes where that is a public output.
        noise: Name of the tensor with the power of the error of each channel.
        signal: Name of the tensor with the power of each channel.
        keep: Nodes that must stay in float for this rounding not to be.
    """

    node: str
    kind: str
    noise: str
    signal: str
    keep: frozenset[str]


def instrument(plain: Model, quantised: Model, scheme: Scheme) -> tuple[Model, tuple[Probe, ...]]:
    """Makes the float model with a rounded twin beside each layer.

    Args:
        plain: The prepared float model.
        quantised: The QDQ model made of it, with the same names of nodes.
        scheme: Its scheme.

    Returns:
        A model whose outputs are the powers of errors and signals, and what they belong to. Without
        probes there is nothing to run.
    """
    work = quantised.ir.clone()
    users = _users(plain.ir.graph, scheme)
    tool = _Tool(work.graph, {n.name: n for n in plain.ir.graph if n.name}, users)
    probes = [probe for node in tuple(work.graph) for probe in tool.probes(node)]
    probes += [probe for output in tuple(work.graph.outputs) for probe in tool.last(output)]
    for node in tuple(work.graph):
        tool.restore(node)
    work.graph.outputs.clear()
    work.graph.outputs.extend(tool.results)
    return replace(quantised, ir=work, path=None, sha256=None), tuple(probes)


def _users(graph: ir.Graph, scheme: Scheme) -> dict[str, frozenset[str]]:
    """Returns which nodes make or read the tensors that share a scale with each quantised tensor."""
    groups = Groups.of(graph, Roles.of(graph, scheme))
    found: dict[str, frozenset[str]] = {}
    for value in groups:
        names: set[str] = set()
        for member in groups.members(value):
            nodes = [member.producer(), *(use.node for use in member.uses())]
            names |= {n.name for n in nodes if n is not None and n.name and role_of(n) is not None}
        found[value.name or ""] = frozenset(names)
    return found


@dataclass(slots=True)
class _Tool:
    graph: ir.Graph
    plain: dict[str, ir.Node]
    users: dict[str, frozenset[str]]
    results: list[ir.Value] = field(default_factory=list)
    _powers: dict[ir.Value, ir.Value] = field(default_factory=dict)

    def probes(self, node: ir.Node) -> Iterator[Probe]:
        """Puts the twins of a layer beside it."""
        if node.name not in self.plain or role_of(self.plain[node.name]) in (None, Role.SAME):
            return
        rounded = {i: v for i, v in enumerate(node.inputs) if producer(v, "DequantizeLinear") is not None}
        constants = {i for i, v in rounded.items() if _is_stored(v)}
        axis = _axis(self.plain[node.name])
        for kind, chosen in (("weights", constants), ("activations", set(rounded) - constants)):
            if not chosen:
                continue
            keep = frozenset((node.name,))
            if kind == "activations":
                names = [self._real(node, i).name or "" for i in chosen]
                keep = keep.union(*(self.users.get(n.removesuffix(":real"), frozenset()) for n in names))
            twin = self._twin(node, chosen, kind)
            yield self._probe(node, kind, twin, node.outputs[0], axis, keep)

    def last(self, output: ir.Value) -> Iterator[Probe]:
        """Measures the rounding of a public output."""
        dq = producer(output, "DequantizeLinear")
        q = None if dq is None else producer(dq.inputs[0], "QuantizeLinear")
        real = None if q is None else q.inputs[0]
        node = None if real is None else real.producer()
        if node is None or real is None or node.name not in self.plain:
            return
        keep = self.users.get(output.name or "", frozenset((node.name,)))
        yield self._probe(node, "activations", output, real, _axis(self.plain[node.name]), keep)

    def restore(self, node: ir.Node) -> None:
        """Lets a layer read what it read before; its twins keep what was rounded."""
        if node.name in self.plain:
            for index, value in enumerate(tuple(node.inputs)):
                if producer(value, "DequantizeLinear") is not None:
                    node.replace_input_with(index, self._real(node, index))

    def _real(self, node: ir.Node, index: int) -> ir.Value:
        """Returns what an operand was before rounding."""
        value = node.inputs[index]
        dq = producer(value, "DequantizeLinear")
        assert dq is not None
        q = producer(dq.inputs[0], "QuantizeLinear")
        if q is not None:
            assert q.inputs[0] is not None
            return q.inputs[0]
        held = self.plain[node.name or ""].inputs[index]
        assert held is not None
        assert held.const_value is not None
        return new_initializer(self.graph, held.const_value.numpy(), f"{held.name}:float")

    def _twin(self, node: ir.Node, chosen: set[int], kind: str) -> ir.Value:
        inputs = [
            v if v is None or i in chosen or producer(v, "DequantizeLinear") is None else self._real(node, i)
            for i, v in enumerate(node.inputs)
        ]
        made = ir.Node(node.domain, node.op_type, inputs, list(node.attributes.values()))
        return self._add(made, f"{node.name}:{kind}", node)

    def _probe(
        self, node: ir.Node, kind: str, twin: ir.Value, real: ir.Value, axis: int, keep: frozenset[str]
    ) -> Probe:
        place = f"{node.name}:{kind}:{len(self.results)}"
        error = self._add(ir.Node("", "Sub", [twin, real]), f"{place}:error", node)
        noise = self._power(error, axis, f"{place}:noise", node)
        if real not in self._powers:
            self._powers[real] = self._power(real, axis, f"{place}:signal", node)
            self.results.append(self._powers[real])
        self.results.append(noise)
        return Probe(node.name or "", kind, noise.name or "", self._powers[real].name or "", keep)

    def _power(self, value: ir.Value, axis: int, name: str, like: ir.Node) -> ir.Value:
        rank = rank_of(like.outputs[0]) or 0
        others = np.asarray([i for i in range(rank) if i != axis], np.int64)
        axes = new_initializer(self.graph, others, f"{name}:axes")
        made = ir.Node("", "ReduceSumSquare", [value, axes], [ir.AttrInt64("keepdims", 0)])
        result = self._add(made, name, like)
        result.shape = None
        return result

    def _add(self, made: ir.Node, name: str, like: ir.Node) -> ir.Value:
        made.name, made.outputs[0].name = name, name
        made.outputs[0].type, made.outputs[0].shape = like.outputs[0].type, like.outputs[0].shape
        inherit(made, like)
        self.graph.append(made)
        return made.outputs[0]


def _axis(node: ir.Node) -> int:
    axis = channel_axis(node) if role_of(node) is Role.WEIGHTED else None
    rank = rank_of(node.outputs[0]) or 0
    return axis if axis is not None else (1 if rank > 2 else max(rank - 1, 0))


def _is_stored(value: ir.Value | None) -> bool:
    dq = producer(value, "DequantizeLinear")
    return dq is not None and producer(dq.inputs[0], "QuantizeLinear") is None
