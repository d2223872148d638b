"""Reading and editing the graph: the few helpers that every pass needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.ir import Origin, inherit, origin_of, set_origin
from edgekit.ir.model import dims_of
from edgekit.ir.spec import Dim

_GRAPH, _GRAPHS = ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """Returns an attribute as int, float, str, tuple or onnx_ir object, or the default."""
    attr = node.attributes.get(name)
    return default if attr is None else attr.value


def operand(node: ir.Node, index: int) -> ir.Value | None:
    """Returns an input of a node, or `None` where it is left out."""
    return node.inputs[index] if index < len(node.inputs) else None


def is_constant(value: ir.Value | None) -> bool:
    """Tells whether a value is an initializer (graph inputs with a default do not count)."""
    return (
        value is not None
        and value.const_value is not None
        and value.producer() is None
        and not value.is_graph_input()
    )


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """Returns the elements of an initializer, or `None` for anything else."""
    if value is None or not is_constant(value):
        return None
    assert value.const_value is not None
    return value.const_value.numpy()


def scalar(value: ir.Value | None) -> Any | None:
    """Returns the only element of an initializer, or `None` for anything else."""
    array = constant(value) if value is not None and size_of(value) == 1 else None
    return None if array is None else array.reshape(-1)[0]


def size_of(value: ir.Value) -> int | None:
    """Returns the number of elements of a value, or `None` where it is not static."""
    shape = static_shape(value)
    return None if shape is None else int(np.prod(shape, dtype=np.int64))


def dims(value: ir.Value | None) -> tuple[Dim, ...] | None:
    """Returns the sizes of a value: int, symbol or `None`; `None` in all for unknown rank."""
    return None if value is None else dims_of(value.shape)


def rank_of(value: ir.Value | None) -> int | None:
    """Returns the rank of a value, or `None` where it is unknown."""
    return None if value is None or value.shape is None else len(value.shape)


def static_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """Returns the shape of a value when every size is known, else `None`."""
    sizes = dims(value)
    if sizes is None or not all(isinstance(d, int) for d in sizes):
        return None
    return tuple(d for d in sizes if isinstance(d, int))


def make_attr(name: str, value: Any) -> ir.Attr:
    """Makes an attribute of a Python value: int, float, str, graph, or a sequence of ints or floats."""
    if isinstance(value, ir.Attr):
        return value
    if isinstance(value, (int, np.integer)):
        return ir.AttrInt64(name, int(value))
    if isinstance(value, float):
        return ir.AttrFloat32(name, value)
    if isinstance(value, str):
        return ir.AttrString(name, value)
    if isinstance(value, ir.Graph):
        return ir.AttrGraph(name, value)
    items = list(value)
    if any(isinstance(item, float) for item in items):
        return ir.AttrFloat32s(name, items)
    return ir.AttrInt64s(name, [int(item) for item in items])


def is_used(value: ir.Value) -> bool:
    """Tells whether a node reads the value or it is an output of a graph."""
    return bool(value.uses()) or value.is_graph_output()


def only_consumer(value: ir.Value) -> ir.Node | None:
    """Returns the node that reads the value when there is exactly one use and it is no graph output."""
    uses = value.uses()
    if len(uses) != 1 or value.is_graph_output():
        return None
    return next(iter(uses)).node


def subgraphs(node: ir.Node) -> list[ir.Graph]:
    """Returns the graphs among the attributes of a node."""
    found: list[ir.Graph] = []
    for attr in node.attributes.data.values():  # the plain dict: this is asked of every node in every pass
        if attr.type is _GRAPH:
            found.append(attr.as_graph())
        elif attr.type is _GRAPHS:
            found.extend(attr.as_graphs())
    return found


def all_graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    """Iterates over a graph and all graphs nested in it, outer ones first."""
    yield graph
    for node in graph:
        for inner in subgraphs(node):
            yield from all_graphs(inner)


def failure(code: str, node: ir.Node, message: str, *, help: str | None = None) -> EdgekitError:
    """Builds the error of a code at the place that a node comes from.

    Args:
        code: A key of the table of codes.
        node: The offending node.
        message: What is wrong: lower case, no full stop, names in backticks.
        help: What to do.

    Returns:
        The exception to raise.
    """
    origin = origin_of(node)
    nodes = origin.nodes or ((node.name,) if node.name else ())
    return error(code, message, where=Where(origin.file, origin.line, nodes, origin.scope), help=help)


def new_initializer(graph: ir.Graph, array: NDArray[Any] | ir.TensorProtocol, name: str) -> ir.Value:
    """Registers a new initializer.

    Args:
        graph: The graph that it belongs to.
        array: Its elements; not copied.
        name: The name wished for; a number is appended when it is taken.

    Returns:
        The value, typed.
    """
    taken = graph.initializers
    unique, count = name, 1
    while unique in taken:
        unique, count = f"{name}_{count}", count + 1
    tensor = ir.Tensor(array, name=unique) if isinstance(array, np.ndarray) else array
    value = ir.Value(
        name=unique,
        type=ir.TensorType(tensor.dtype),
        shape=ir.Shape(tensor.shape.numpy()),
        const_value=tensor,
    )
    graph.register_initializer(value)
    return value


def replace_value(old: ir.Value, new: ir.Value) -> None:
    """Lets every reader of a value read another one, which takes over the name of a graph output.

    Args:
        old: The value to replace; keeps its producer, which the caller removes.
        new: What stands for it from now on. It must not be a graph input, an output of the graph or
            an initializer of the user when `old` is an output: those names belong to the interface.
    """
    if old.is_graph_output():
        name, old.name = old.name, f"{old.name}_replaced"
        new.name = name
    old.replace_all_uses_with(new, replace_graph_outputs=True)


def can_rename(value: ir.Value) -> bool:
    """Tells whether a value is free to take over the name of a graph output."""
    return value.producer() is not None and not value.is_graph_output()


def drop(node: ir.Node) -> None:
    """Removes a node whose outputs nobody reads; what its subgraphs read is no longer in use either."""
    assert node.graph is not None
    for graph in subgraphs(node):
        for inner in all_graphs(graph):
            for part in inner:
                for index in range(len(part.inputs)):
                    part.replace_input_with(index, None)
    node.graph.remove(node, safe=True)


def producer(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """Returns the node that computes a value if it is of the default domain and one of these types."""
    node = None if value is None else value.producer()
    return node if node is not None and not node.domain and node.op_type in op_types else None


def absorb(survivor: ir.Node | None, *gone: ir.Node) -> None:
    """Adds the origins of nodes that go away to the node that computes their result from now on."""
    if survivor is None:
        return
    union = origin_of(survivor)
    for node in gone:
        union = union | origin_of(node)
    set_origin(survivor, union)


class Maker:
    """Makes nodes in front of a node, with its origin, to stand in its place.

    Attributes:
        node: The node worked on.
        made: The nodes made so far, in order.
        replaced: Whether `replace` was called.
    """

    __slots__ = ("_base", "_sources", "made", "node", "replaced")

    def __init__(self, node: ir.Node, *also: ir.Node) -> None:
        """Starts at a node; the nodes made get the union of its origin and those of `also`."""
        self.node = node
        self.made: list[ir.Node] = []
        self.replaced = False
        self._sources = (node, *also)
        self._base = (node.outputs[0].name or node.name or node.op_type) if node.outputs else node.op_type

    @property
    def graph(self) -> ir.Graph:
        """The graph that the node belongs to."""
        graph = self.node.graph
        assert isinstance(graph, ir.Graph)
        return graph

    def const(self, data: ArrayLike, dtype: Any = None, hint: str = "const") -> ir.Value:
        """Makes an initializer.

        Args:
            data: Its elements.
            dtype: The numpy dtype, or an `ir.DataType`.
            hint: Last part of its name.

        Returns:
            The value, typed.
        """
        if isinstance(dtype, ir.DataType):
            dtype = dtype.numpy()
        return new_initializer(self.graph, np.asarray(data, dtype), f"{self._base}:{hint}")

    def ints(self, data: ArrayLike, hint: str = "const") -> ir.Value:
        """Makes a one-dimensional int64 initializer."""
        return self.const(np.asarray(data, np.int64).reshape(-1), hint=hint)

    def op(self, op_type: str, *inputs: ir.Value | None, **attrs: Any) -> ir.Value:
        """Makes a node of the default domain with one output; attributes that are `None` are left out."""
        return self.ops(op_type, *inputs, outputs=1, **attrs)[0]

    def ops(self, op_type: str, *inputs: ir.Value | None, outputs: int, **attrs: Any) -> tuple[ir.Value, ...]:
        """Makes a node of the default domain with several outputs."""
        present = [make_attr(name, value) for name, value in attrs.items() if value is not None]
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        node = ir.Node("", op_type, inputs, present, num_outputs=outputs)
        inherit(node, *self._sources)
        number = f"{len(self.made)}" if self.made else ""
        node.name = f"{self.node.name or self._base}:{op_type.lower()}{number}"
        for index, value in enumerate(node.outputs):
            value.name = f"{self._base}:{op_type.lower()}{number}{f'.{index}' if index else ''}"
        self.graph.insert_before(self.node, node)
        self.made.append(node)
        return tuple(node.outputs)

    def replace(self, *values: ir.Value | None) -> None:
        """Lets values stand for the outputs of the node, with their names and types, and removes it.

        Args:
            values: One for each output; `None` for an output that nobody uses.
        """
        for old, new in zip(self.node.outputs, values, strict=False):
            if new is None:
                continue
            new.type, new.shape = old.type, old.shape
            if not old.is_graph_output():
                new.name, old.name = old.name, None
            replace_value(old, new)
        drop(self.node)
        self.replaced = True


__all__ = [
    "Maker",
    "Origin",
    "absorb",
    "all_graphs",
    "attribute",
    "can_rename",
    "constant",
    "dims",
    "drop",
    "failure",
    "is_constant",
    "is_used",
    "make_attr",
    "new_initializer",
    "only_consumer",
    "operand",
    "producer",
    "rank_of",
    "replace_value",
    "scalar",
    "size_of",
    "static_shape",
    "subgraphs",
]
