"""One walk over the graph that normalises, folds and infers, each node once and in order.

When a node is reached, everything is known of its inputs: constants, shapes, symbolic elements. So its
old form is rewritten with full knowledge, constants are folded through it, its types are inferred, and
conditions known by then decide an `If`. Knowledge only flows forwards; one walk is complete.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgekit.ir import inherit, origin_of
from edgekit.ir.model import dims_of
from edgekit.passes import fold, loops
from edgekit.passes.edit import (
    constant,
    drop,
    failure,
    is_constant,
    is_used,
    new_initializer,
    replace_value,
    scalar,
    static_shape,
    subgraphs,
)
from edgekit.passes.inference import Inferred, infer
from edgekit.passes.known_type import state_type
from edgekit.passes.symbolic import Elements, Symbols, follow
from edgekit.passes.symbolic_shapes import bind_reshape_target, refine
from edgekit.passes.upgrade import upgrade

UNBOUNDED = ("NonZero",)
"""Foldable ops whose output size only evaluation tells, but is bounded by the input's."""


@dataclass(slots=True)
class Sweep:
    """State and counts of one walk.

    Attributes:
        target: The opset that nodes are brought to.
        fold_limit: How many bytes a folded constant may exceed its inputs by.
        symbols: Knowledge of symbolic elements.
        upgraded: Number of nodes that were rewritten to a newer form.
        folded: Number of nodes evaluated.
        bound: Number of Reshapes that got a constant target.
        inlined: Number of `If` nodes replaced by the branch that is taken.
        inferred: Number of values whose type and shape were set.
    """

    target: int
    fold_limit: int
    symbols: Symbols = field(default_factory=Symbols)
    upgraded: int = 0
    folded: int = 0
    bound: int = 0
    inlined: int = 0
    inferred: int = 0

    def graph(self, graph: ir.Graph, version: int) -> None:
        """Walks a graph.

        Args:
            graph: A graph in order; changed in place.
            version: The opset of the default domain that it is written in.

        Raises:
            EdgekitError: EK108 for an op version without an adapter, EK114 for a contradiction.
        """
        for value in graph.inputs:
            self._name_unknown_sizes(value)
        for node in tuple(graph):
            self.node(node, version)

    def node(self, node: ir.Node, version: int) -> None:
        """Brings one node, its outputs and its subgraphs up to date."""
        version = node.version or version
        if node.op_type == "If" and not node.domain and is_constant(node.inputs[0]):
            self._inline_branch(node, version)
            return
        parts, rewritten = upgrade(node, version, self.target)
        self.upgraded += rewritten
        for part in parts:
            part.version = None
            inner = version if subgraphs(part) else self.target
            self._newest(part, inner)

    def _newest(self, node: ir.Node, inner: int) -> None:
        state_type(node)
        for graph in subgraphs(node):
            if node.op_type not in loops.RULES or node.domain:
                self.graph(graph, inner)
        if not node.domain and node.op_type in loops.RULES:
            found: Sequence[Inferred] = loops.RULES[node.op_type](self, node, inner)
        else:
            version = self.target if not node.domain else self._version(node)
            found = infer(node, version)
        self.assign(node, found)
        if self._fold(node):
            return
        elements = follow(node, self.symbols)
        if elements is not None:
            self._learn(node, elements)
        elif node.op_type == "Reshape" and not node.domain:
            self.bound += bind_reshape_target(node, self.symbols)

    def _version(self, node: ir.Node) -> int:
        graph = node.graph
        return graph.opset_imports.get(node.domain, 1) if graph is not None else 1

    def assign(self, node: ir.Node, found: Sequence[Inferred]) -> None:
        """Sets types and shapes of a node's outputs; what was declared stays only where nothing is known."""
        if len(found) != len(node.outputs):
            message = f"`{node.op_type}` has {len(node.outputs)} outputs, its graph gives {len(found)}"
            raise failure("EK114", node, message)
        for value, inferred in zip(node.outputs, found, strict=True):
            if inferred.type is not None:
                value.type = inferred.type
            sizes = inferred.shape
            if len(node.outputs) == 1 and (sizes is None or None in sizes):
                refined = refine(node, self.symbols)
                sizes = sizes if refined is None else refined
            if sizes is not None:
                value.shape = ir.Shape([self.symbols.fresh() if d is None else d for d in sizes])
                self.inferred += 1
            self._name_unknown_sizes(value)

    def _name_unknown_sizes(self, value: ir.Value) -> None:
        sizes = dims_of(value.shape)
        if sizes is not None and None in sizes:
            value.shape = ir.Shape([self.symbols.fresh() if d is None else d for d in sizes])

    def _learn(self, node: ir.Node, elements: Elements) -> None:
        """Keeps what is known of an output; makes it a constant when every element is known."""
        value = node.outputs[0]
        flat = elements.reshape(-1)
        if all(isinstance(e, (int, bool)) for e in flat) and value.dtype is not None:
            self._constants(node, [np.array(elements.tolist(), value.dtype.numpy())])
        else:
            self.symbols.elements[value] = elements

    def _fold(self, node: ir.Node) -> bool:
        if node.domain or node.op_type not in fold.KERNELS or subgraphs(node):
            return False
        present = [v for v in node.inputs if v is not None]
        if not all(is_constant(v) for v in present) or not self._small_enough(node, present):
            return False
        arrays = fold.evaluate(node, [constant(v) for v in node.inputs])
        if arrays is None:
            return False
        for value, array in zip(node.outputs, arrays, strict=False):
            wanted = static_shape(value)
            dtype = value.dtype
            if (wanted is not None and array.shape != wanted) or (
                dtype is not None and array.dtype != dtype.numpy()
            ):
                what = f"{array.dtype}{list(array.shape)} instead of {dtype}{wanted}"
                raise failure("EK901", node, f"folding `{node.op_type}` gives {what}")
        self._constants(node, arrays)
        return True

    def _small_enough(self, node: ir.Node, inputs: Sequence[ir.Value]) -> bool:
        """Holds the growth limit, before anything is allocated; equally many elements always fit."""
        if node.op_type in UNBOUNDED:
            return True
        given_bytes = given_elements = bytes_ = elements = 0
        for value in inputs:
            assert value.const_value is not None
            given_bytes += value.const_value.nbytes
            given_elements += value.const_value.size
        for value in node.outputs:
            shape = static_shape(value)
            if shape is None or value.dtype is None or value.dtype == ir.DataType.STRING:
                return False
            elements += math.prod(shape)
            bytes_ += math.ceil(math.prod(shape) * value.dtype.itemsize)
        return elements <= given_elements or bytes_ <= given_bytes + self.fold_limit

    def _constants(self, node: ir.Node, arrays: Sequence[np.ndarray]) -> None:
        """Replaces the outputs of a node by initializers of the same names, and the node by nothing."""
        graph = node.graph
        assert isinstance(graph, ir.Graph)
        for old, array in zip(node.outputs, arrays, strict=False):
            if not is_used(old):
                continue
            name, old.name = old.name or "folded", None
            new = new_initializer(graph, np.asarray(array, order="C"), name)
            old.replace_all_uses_with(new, replace_graph_outputs=True)
        if not any(is_used(v) for v in node.outputs):
            graph.remove(node, safe=True)
            self.folded += 1

    def _inline_branch(self, node: ir.Node, version: int) -> None:
        """Puts the branch that a constant condition takes in place of the `If`."""
        taken = "then_branch" if scalar(node.inputs[0]) else "else_branch"
        branch, graph = node.attributes[taken].as_graph(), node.graph
        assert isinstance(graph, ir.Graph)
        parts, results = tuple(branch), list(branch.outputs)
        branch.outputs.clear()
        for value in tuple(branch.initializers.values()):
            assert value.const_value is not None
            moved = new_initializer(graph, value.const_value, value.name or "constant")
            value.replace_all_uses_with(moved)
            results = [moved if v is value else v for v in results]
        branch.remove(parts)
        graph.insert_before(node, parts)
        for part in parts:
            if not origin_of(part).nodes:
                inherit(part, node)
        for old, new in zip(node.outputs, results, strict=True):
            self._stand_for(node, old, new)
        drop(node)
        self.inlined += 1
        for part in parts:
            self.node(part, version)

    def _stand_for(self, node: ir.Node, old: ir.Value, new: ir.Value) -> None:
        graph = node.graph
        assert isinstance(graph, ir.Graph)
        if old.is_graph_output() and (
            new.producer() is None or new.is_graph_output() or new.graph is not graph
        ):
            link = ir.Node("", "Identity", [new], num_outputs=1)
            inherit(link, node)
            graph.insert_before(node, link)
            replace_value(old, link.outputs[0])
            self._newest(link, self.target)
        else:
            replace_value(old, new)
