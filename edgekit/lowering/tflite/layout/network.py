"""The network that the layout is chosen on: ops with their forms, tensors with their views.

TRANSPOSE ops are taken out; what they produced becomes a *view* of the tensor they read (its
*root*). Each remaining op has one or more *forms* (see `lemma`), and each root is stored by its
producer's form and wanted by its consumers' forms under some permutation. Where the two differ a
TRANSPOSE is needed, at the cost of the bytes that it moves.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.layout.lemma import LEMMAS, Rewrite
from edgekit.lowering.tflite.layout.lemmas.reshape import flatten_columns
from edgekit.lowering.tflite.layout.perm import Perm, compose, identity, inverse

MAX_FORMS = 4
"""More forms of one op than this are not considered."""


@dataclass(slots=True, eq=False)
class Node:
    """An op with its forms; the first one is the op as it stands."""

    op: Emitted
    forms: list[Rewrite]


@dataclass(slots=True, eq=False)
class Use:
    """One use of a root: by an op's operand, or by a public output when `node` is `None`."""

    node: Node | None
    index: int
    view: Perm


@dataclass(slots=True, eq=False)
class Root:
    """A stored tensor.

    Attributes:
        value: The tensor as the ledger has it.
        producer: The op that makes it; `None` for a public input.
        index: Which of the producer's results it is.
        stored: The permutation under which a public input is stored.
        uses: Its uses.
    """

    value: Value
    producer: Node | None
    index: int
    stored: Perm
    uses: list[Use] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """What a transpose of it moves; a size known only at run time counts once."""
        size = self.value.dtype.itemsize
        for dim in self.value.shape:
            size *= 1 if dim is None else dim
        return max(size, 1)

    def order(self, perm: Perm) -> Perm:
        """Returns what of a permutation moves data: axes of size 1 may lie anywhere."""
        return tuple(a for a in perm if self.value.shape[a] != 1)


@dataclass(slots=True, eq=False)
class Network:
    """Nodes in execution order and roots by their value."""

    nodes: list[Node]
    roots: dict[Value, Root]
    views: dict[Value, tuple[Value, Perm]]
    outputs: tuple[Perm, ...]


def build(graph: Subgraph, public: Mapping[Value, Perm]) -> Network:
    """Builds the network of a graph and finds the forms of its ops.

    Args:
        graph: The ledger graph.
        public: Permutations under which public inputs and outputs are wanted, where not as they are.

    Returns:
        The network.
    """
    network = _strip(graph, public)
    consumers = _consumers(graph)
    queue: deque[tuple[Node, Rewrite]] = deque()
    for node in network.nodes:
        queue.append((node, node.forms[0]))
    seen: set[tuple[Value, Perm]] = set()
    for root in network.roots.values():
        if root.producer is None:
            _propose(root, root.stored, network, queue, seen, consumers, graph)
        for use in root.uses:
            if use.node is None:
                wanted = compose(use.view, network.outputs[use.index])
                _propose(root, wanted, network, queue, seen, consumers, graph)
    while queue:
        node, form = queue.popleft()
        for value, perm in touched(network, node, form):
            _propose(network.roots[value], perm, network, queue, seen, consumers, graph)
    return network


def touched(network: Network, node: Node, form: Rewrite) -> list[tuple[Value, Perm]]:
    """Returns the roots that a form of an op reads or makes, each with the permutation it has there."""
    result: list[tuple[Value, Perm]] = []
    for operand, perm in zip(node.op.inputs, form.inputs, strict=True):
        if operand is not None and operand.data is None and perm is not None:
            root, view = network.views[operand]
            result.append((root, compose(view, perm)))
    result.extend(zip(node.op.outputs, form.outputs, strict=True))
    return result


def as_it_stands(op: Emitted) -> Rewrite:
    """Returns the form of an op that changes nothing."""
    inputs = tuple(None if v is None or v.data is not None else identity(v.rank) for v in op.inputs)
    return Rewrite(inputs, tuple(identity(v.rank) for v in op.outputs))


def _strip(graph: Subgraph, public: Mapping[Value, Perm]) -> Network:
    views: dict[Value, tuple[Value, Perm]] = {}
    roots: dict[Value, Root] = {}
    nodes: list[Node] = []
    for value in graph.inputs:
        views[value] = (value, identity(value.rank))
        roots[value] = Root(value, None, 0, public.get(value, identity(value.rank)))
    for op in graph.ops:
        x = op.inputs[0] if op.inputs else None
        perm = op.inputs[1].data if op.op == "TRANSPOSE" and op.inputs[1] is not None else None
        if perm is not None and x is not None and x.data is None:
            root, view = views[x]
            views[op.outputs[0]] = (root, compose(view, tuple(int(p) for p in perm)))
            continue
        node = Node(op, [as_it_stands(op)])
        nodes.append(node)
        for index, operand in enumerate(op.inputs):
            if operand is not None and operand.data is None:
                root, view = views[operand]
                roots[root].uses.append(Use(node, index, view))
        for index, value in enumerate(op.outputs):
            views[value] = (value, identity(value.rank))
            roots[value] = Root(value, node, index, identity(value.rank))
    for index, value in enumerate(graph.outputs):
        if value.data is None:
            root, view = views[value]
            roots[root].uses.append(Use(None, index, view))
    wanted = tuple(public.get(v, identity(v.rank)) for v in graph.outputs)
    return Network(nodes, roots, views, wanted)


def _propose(
    root: Root,
    perm: Perm,
    network: Network,
    queue: deque[tuple[Node, Rewrite]],
    seen: set[tuple[Value, Perm]],
    consumers: Mapping[Value, list[Emitted]],
    graph: Subgraph,
) -> None:
    """Offers a permutation of a root to the ops around it; forms that fit it are new candidates."""
    if (root.value, perm) in seen:
        return
    seen.add((root.value, perm))
    if root.producer is not None:
        lemmas = LEMMAS.get(root.producer.op.op)
        form = lemmas.backward(root.producer.op, root.index, perm) if lemmas else None
        _admit(root.producer, form, queue)
    for use in root.uses:
        if use.node is None:
            continue
        given = compose(inverse(use.view), perm)
        lemmas = LEMMAS.get(use.node.op.op)
        form = lemmas.forward(use.node.op, use.index, given) if lemmas else None
        if form is None and use.node.op.op == "RESHAPE" and _feeds_weights(use.node.op, consumers, graph):
            form = flatten_columns(use.node.op, given)
        _admit(use.node, form, queue)


def _admit(node: Node, form: Rewrite | None, queue: deque[tuple[Node, Rewrite]]) -> None:
    if form is not None and form not in node.forms and len(node.forms) < MAX_FORMS:
        node.forms.append(form)
        queue.append((node, form))


def _feeds_weights(op: Emitted, consumers: Mapping[Value, list[Emitted]], graph: Subgraph) -> bool:
    """Tells whether a result is used only as the data of FULLY_CONNECTED ops with constant weights."""
    y = op.outputs[0]
    users = consumers.get(y, [])
    return (
        bool(users)
        and y not in graph.outputs
        and all(
            u.op == "FULLY_CONNECTED"
            and u.inputs[0] is y
            and u.inputs[1] is not None
            and u.inputs[1].data is not None
            for u in users
        )
    )


def _consumers(graph: Subgraph) -> dict[Value, list[Emitted]]:
    result: dict[Value, list[Emitted]] = {}
    for op in graph.ops:
        for value in op.inputs:
            if value is not None:
                result.setdefault(value, []).append(op)
    return result


def load_lemmas() -> None:
    """Imports every file under `lemmas/`; they fill the table."""
    from edgekit.lowering.tflite.layout import lemmas

    for module in pkgutil.iter_modules(lemmas.__path__, lemmas.__name__ + "."):
        importlib.import_module(module.name)
