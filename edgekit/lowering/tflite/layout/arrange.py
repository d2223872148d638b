"""Rewrites a ledger in the layout that was chosen, and states what is proved of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgekit.ir import Origin
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph, TensorMap, Value
from edgekit.lowering.tflite.layout.network import Network, Node, build, load_lemmas
from edgekit.lowering.tflite.layout.perm import NCHW_TO_NHWC, Perm, between, compose, identity, permute
from edgekit.lowering.tflite.layout.solve import Choice, solve


@dataclass(frozen=True, slots=True)
class Arranged:
    """A graph in its chosen layout.

    Attributes:
        graph: The graph.
        places: Where each value of the former graph is found.
        transposes: What is left, each with the reasons that force it.
        proved: Whether their bytes are proved to be minimal.
    """

    graph: Subgraph
    places: Mapping[Value, TensorMap]
    transposes: tuple[Left, ...]
    proved: bool


@dataclass(frozen=True, slots=True)
class Left:
    """A transpose that is left: how many bytes it moves, and between what."""

    bytes: int
    producer: str
    consumers: tuple[str, ...]


def arrange(lowered: Lowered, io_layout: str = "source") -> Lowered:
    """Removes every transpose that the choice of layout can remove.

    Args:
        lowered: A complete ledger.
        io_layout: `source` keeps the layout of public inputs and outputs; `nhwc` changes those of rank 4.

    Returns:
        The ledger in its new layout, with the map of tensors and the certificate.
    """
    load_lemmas()
    main = lowered.main
    image_like = {v: NCHW_TO_NHWC for v in (*main.inputs, *main.outputs) if v.rank == 4 and v.data is None}
    chosen = _arrange(main, image_like if io_layout == "nhwc" else {})
    settled = io_layout == "nhwc" or not chosen.transposes
    free = chosen if settled else _arrange(main, image_like)
    tensors = {
        name: chosen.places[tensor.value]
        for name, tensor in lowered.tensors.items()
        if tensor.value in chosen.places
    }
    return replace(
        lowered,
        main=chosen.graph,
        inputs=_public(main.inputs, chosen.graph.inputs, image_like if io_layout == "nhwc" else {}),
        outputs=_public(main.outputs, chosen.graph.outputs, image_like if io_layout == "nhwc" else {}),
        tensors=tensors,
        certificate=_certificate(chosen, free, io_layout),
    )


def _public(
    before: tuple[Value, ...], after: tuple[Value, ...], perms: Mapping[Value, Perm]
) -> tuple[TensorMap, ...]:
    return tuple(TensorMap(new, perms.get(old)) for old, new in zip(before, after, strict=True))


def _arrange(graph: Subgraph, public: Mapping[Value, Perm]) -> Arranged:
    network = build(graph, public)
    return _Writer(graph, network, solve(network), public).write()


class _Writer:
    def __init__(
        self, graph: Subgraph, network: Network, choice: Choice, public: Mapping[Value, Perm]
    ) -> None:
        self.graph, self.network, self.choice, self.public = graph, network, choice, public
        self.ops: list[Emitted] = []
        self.names = dict(graph.names)
        self.stored: dict[Value, tuple[Value, Perm]] = {}
        self.copies: dict[Value, dict[Perm, Value]] = {}
        self.columns: dict[Value, tuple[int, ...]] = {}
        self.left: list[Left] = []

    def write(self) -> Arranged:
        inputs = [self.keep(v, self.public.get(v, identity(v.rank))) for v in self.graph.inputs]
        for node in self.network.nodes:
            self.node(node)
        outputs = [
            v if v.data is not None else self.want(v, perm)
            for v, perm in zip(self.graph.outputs, self.network.outputs, strict=True)
        ]
        graph = Subgraph(self.graph.name, tuple(inputs), tuple(outputs), tuple(self.ops), self.names)
        return Arranged(graph, self.places(), tuple(self.left), self.choice.proved)

    def keep(self, value: Value, perm: Perm) -> Value:
        """Makes the stored form of a root."""
        same = perm == identity(len(perm))
        new = value if same else Value(value.dtype, permute(value.shape, perm), None, _moved(value, perm))
        self.stored[value] = (new, perm)
        if not same and value in self.names:
            self.names[new] = self.names[value]
        return new

    def want(self, value: Value, perm: Perm, origin: Origin | None = None) -> Value:
        """Returns a value of the former graph as `T(perm, value)`, transposing where it must."""
        root, view = self.network.views[value]
        stored, has = self.stored[root]
        wanted = compose(view, perm)
        if wanted == has:
            return stored
        copies = self.copies.setdefault(root, {has: stored})
        if wanted not in copies:
            order = self.network.roots[root].order
            # Prefer a copy whose elements lie in the wanted order already: a reshape of it is enough.
            source = next((p for p in copies if order(p) == order(wanted)), has)
            copies[wanted] = self.transpose(root, copies[source], between(source, wanted), origin)
        return copies[wanted]

    def transpose(self, root: Value, stored: Value, perm: Perm, origin: Origin | None) -> Value:
        result = Value(stored.dtype, permute(stored.shape, perm), None, _moved(stored, perm))
        blame = origin or self.origin_of(root)
        if _is_reshape(stored, perm):
            # Only axes of size 1 move: no element does.
            sizes = np.asarray(result.shape, np.int32)
            shape = Value(sizes.dtype, sizes.shape, sizes)
            attrs: dict[str, Any] = {"new_shape": [int(s) for s in sizes]}
            self.ops.append(Emitted("RESHAPE", (stored, shape), (result,), attrs, blame))
            return result
        order = np.asarray(perm, np.int32)
        operand = Value(order.dtype, order.shape, order)
        self.ops.append(Emitted("TRANSPOSE", (stored, operand), (result,), {}, blame))
        self.left.append(self.reason(root))
        return result

    def node(self, node: Node) -> None:
        op, form = node.op, node.forms[self.choice.form[node]]
        inputs: list[Value | None] = []
        for index, (value, perm) in enumerate(zip(op.inputs, form.inputs, strict=True)):
            if index in form.operands:
                inputs.append(form.operands[index])
            elif value is None or value.data is not None:
                inputs.append(value)
            else:
                inputs.append(self.want(value, perm or identity(value.rank), op.origin))
        data = op.inputs[0] if op.inputs else None
        if op.op == "FULLY_CONNECTED" and data is not None and data in self.columns:
            inputs[1] = _reordered(inputs[1], self.columns[data])
        outputs = tuple(self.keep(v, p) for v, p in zip(op.outputs, form.outputs, strict=True))
        if form.columns is not None:
            self.columns[op.outputs[0]] = form.columns
        attrs = {k: _nested(v) for k, v in {**op.attrs, **form.attrs}.items()}
        self.ops.append(Emitted(op.op, tuple(inputs), outputs, attrs, op.origin))

    def places(self) -> dict[Value, TensorMap]:
        """Where each value of the former graph lies; views of reordered columns are nowhere."""
        result: dict[Value, TensorMap] = {}
        for value, (root, view) in self.network.views.items():
            if root not in self.stored or root in self.columns:
                continue
            stored, has = self.stored[root]
            perm = between(view, has)
            result[value] = TensorMap(stored, None if perm == identity(len(perm)) else perm)
        return result

    def origin_of(self, root: Value) -> Origin:
        producer = self.network.roots[root].producer
        return Origin() if producer is None else producer.op.origin

    def reason(self, root: Value) -> Left:
        where = self.network.roots[root]
        users = [
            f"output `{self.names.get(self.graph.outputs[use.index], '?')}`"
            if use.node is None
            else _title(use.node.op)
            for use in where.uses
        ]
        producer = (
            f"input `{self.names.get(root, '?')}`" if where.producer is None else _title(where.producer.op)
        )
        return Left(where.bytes, producer, tuple(dict.fromkeys(users)))

    def public_title(self, kind: str, value: Value) -> str:
        return f"{kind} `{self.names.get(value, '?')}`"


def _title(op: Emitted) -> str:
    return f"`{op.origin.nodes[0]}`" if op.origin.nodes else op.op


def _nested(value: Any) -> Any:
    return _arrange(value, {}).graph if isinstance(value, Subgraph) else value


def _moved(value: Value, perm: Perm) -> Any:
    if value.quant is None or value.quant.axis is None:
        return value.quant
    return replace(value.quant, axis=perm.index(value.quant.axis))


def _is_reshape(value: Value, perm: Perm) -> bool:
    order = [a for a in perm if value.shape[a] != 1]
    return order == sorted(order) and None not in value.shape


def _reordered(weights: Value | None, columns: tuple[int, ...]) -> Value:
    assert weights is not None
    assert weights.data is not None
    data = np.ascontiguousarray(weights.data[:, list(columns)])
    return Value(data.dtype, data.shape, data, weights.quant)


def _certificate(chosen: Arranged, free: Arranged, io_layout: str) -> str:
    count = len(chosen.transposes)
    size = sum(t.bytes for t in chosen.transposes)
    how = "proved minimum" if chosen.proved else "not proved minimal"
    text = f"{count} transpose{'' if count == 1 else 's'}"
    text += f" ({size} bytes), {how}" if count else ", the minimum"
    if io_layout != "nhwc" and len(free.transposes) < count:
        text += f"; {len(free.transposes)} with `--io-layout nhwc`"
    if count:
        forced = dict.fromkeys(f"{t.producer} → {', '.join(t.consumers[:3])}" for t in chosen.transposes)
        shown = list(forced)[:4]
        text += (
            "; forced by " + "; ".join(shown) + (f" and {len(forced) - 4} more" if len(forced) > 4 else "")
        )
    return text
