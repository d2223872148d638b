"""A memory plan: where each tensor of a graph could lie in one arena, and how small it can be.

Tensors whose lifetimes overlap get disjoint places. The largest are placed first, each into the
smallest gap that holds it, as greedy planners of runtimes do. Scratch memory of kernels and the runtime's
own structures are not part of it: the figures are an estimate from below of what a device needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgekit.compat.cost import VIEWS, size_of
from edgekit.lowering.ledger import Emitted, Subgraph, Value

ALIGNMENT = 16
"""Bytes that each place is a multiple of; TFLM's arena uses the same."""

IN_PLACE = {
    "tflite": frozenset({"ADD", "SUB", "MUL", "DIV", "RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "ABS",
                         "NEG", "EXP", "SQRT", "RSQRT", "SQUARE", "FLOOR", "MINIMUM", "MAXIMUM", "QUANTIZE"}),
    "onnx": frozenset({"Add", "Sub", "Mul", "Div", "Relu", "Clip", "Sigmoid", "Tanh", "HardSwish", "Abs",
                       "Neg", "Exp", "Sqrt", "Floor", "Min", "Max", "LeakyRelu", "HardSigmoid"}),
    "coreml": frozenset({"add", "sub", "mul", "real_div", "relu", "relu6", "clip", "sigmoid", "tanh", "abs",
                         "exp", "sqrt", "floor", "minimum", "maximum", "leaky_relu"}),
}  # fmt: skip
"""Elementwise ops that could write over an operand of the size of their result."""


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """A place in the arena.

    Attributes:
        values: The tensor and the views of it.
        size: Bytes, aligned.
        first: Position of the op that makes it; -1 for inputs of the graph.
        last: Position of the op that uses it last; the number of ops for outputs of the graph.
        offset: Where it lies.
    """

    values: tuple[Value, ...]
    size: int
    first: int
    last: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The arena of a graph.

    Attributes:
        arena: Bytes that the plan takes.
        lower_bound: Most bytes alive at once: no plan can take less.
        peak: Position of the op at which that happens.
        parameters: Bytes of all constants, each counted once.
        buffers: All places.
        in_place: Ops that could write over an operand that dies with them, and the plan does not count on.
        unknown: Tensors of unknown size, which are not in the plan.
    """

    arena: int
    lower_bound: int
    peak: int
    parameters: int
    buffers: tuple[Buffer, ...]
    in_place: int
    unknown: int


def plan(main: Subgraph, dialect: str, *, alignment: int = ALIGNMENT) -> MemoryPlan:
    """Plans the arena of a graph; the arenas of nested graphs live while their op runs.

    Args:
        main: Ops in execution order.
        dialect: `tflite`, `onnx` or `coreml`.
        alignment: Bytes that sizes and offsets are multiples of.
    """
    buffers, unknown = _lifetimes(main, dialect, alignment)
    live = _live(buffers, len(main.ops))
    bound = int(live.max(initial=0))
    placed = _place(buffers, bound)
    places = placed_of(placed)
    return MemoryPlan(
        arena=_end(placed),
        lower_bound=bound,
        peak=min(max(int(live.argmax()) - 1, 0), max(len(main.ops) - 1, 0)),
        parameters=_parameters(main),
        buffers=tuple(placed),
        in_place=sum(_could_be_in_place(op, i, places, dialect) for i, op in enumerate(main.ops)),
        unknown=unknown,
    )


def placed_of(buffers: Iterable[Buffer]) -> dict[Value, Buffer]:
    """Returns the place of each tensor."""
    return {value: buffer for buffer in buffers for value in buffer.values}


def _lifetimes(main: Subgraph, dialect: str | None, alignment: int) -> tuple[list[Buffer], int]:
    first: dict[Value, int] = {v: -1 for v in main.inputs if v.data is None}
    last: dict[Value, int] = dict(first)
    owner: dict[Value, Value] = {}
    nested: list[Buffer] = []
    views = VIEWS[dialect] if dialect is not None else frozenset[str]()
    for i, op in enumerate(main.ops):
        for v in op.inputs:
            if v in last:
                last[v] = i
        for v in op.outputs:
            first[v] = last[v] = i
        operand = op.inputs[0] if op.op in views and op.inputs else None
        if operand in first and operand is not None:
            owner[op.outputs[0]] = owner.get(operand, operand)
        inner = sum(plan(g, dialect or "tflite", alignment=alignment).arena for g in _nested(op))
        if inner:
            nested.append(Buffer((), inner, i, i))
    last.update({v: len(main.ops) for v in main.outputs if v in last})
    return _merged(first, last, owner, alignment, nested)


def _merged(
    first: dict[Value, int],
    last: dict[Value, int],
    owner: dict[Value, Value],
    alignment: int,
    nested: list[Buffer],
) -> tuple[list[Buffer], int]:
    """Joins views with the tensor that they show."""
    groups: dict[Value, list[Value]] = {}
    for value in first:
        groups.setdefault(owner.get(value, value), []).append(value)
    buffers, unknown = nested, 0
    for values in groups.values():
        size = max((s for v in values if (s := size_of(v)) is not None), default=None)
        if size is None:
            unknown += 1
            continue
        aligned = -(-size // alignment) * alignment
        begin, end = min(first[v] for v in values), max(last[v] for v in values)
        buffers.append(Buffer(tuple(values), aligned, begin, end))
    return buffers, unknown


def _nested(op: Emitted) -> list[Subgraph]:
    return [a for a in op.attrs.values() if isinstance(a, Subgraph)]


ORDERS = {
    "size": lambda b: (-b.size, b.first, b.last),
    "span": lambda b: (-b.size * (b.last - b.first + 1), b.first, b.last),
    "time": lambda b: (b.first, -b.size, b.last),
}
"""In which order buffers are placed; planners differ, and none is best for every graph."""

MOST_TRIED = 3000
"""With more buffers than this only the first order is tried."""


def _place(buffers: Sequence[Buffer], bound: int) -> list[Buffer]:
    """Places the buffers in several orders, until none can be better; returns the smallest plan."""
    best: list[Buffer] | None = None
    orders = list(ORDERS.values())[: 1 if len(buffers) > MOST_TRIED else None]
    for order, pick in itertools.product(orders, (_smallest, _lowest)):
        found = _placed(sorted(buffers, key=order), pick)
        best = found if best is None or _end(found) < _end(best) else best
        if _end(best) == bound:
            break
    return best or []


def tflm_arena(main: Subgraph, alignment: int = ALIGNMENT) -> int:
    """Returns the bytes that TFLM's greedy planner takes for the tensors of a graph.

    It places the largest first (of equal ones the first in the file), each at the lowest offset where it
    fits, and takes no tensor for a view of another. What it keeps besides (scratch buffers, tensor
    structures) is not counted.
    """
    buffers, _ = _lifetimes(main, None, alignment)
    position = {value: i for i, value in enumerate(main.names)}
    order = sorted(buffers, key=lambda b: (-b.size, min((position.get(v, 0) for v in b.values), default=0)))
    return _end(_placed(order, _lowest))


def _end(buffers: Sequence[Buffer]) -> int:
    return max((b.offset + b.size for b in buffers), default=0)


Pick = Callable[[NDArray[np.int64]], int]


def _smallest(gaps: NDArray[np.int64]) -> int:
    return int(np.argmin(gaps))


def _lowest(gaps: NDArray[np.int64]) -> int:
    return 0


def _placed(order: Sequence[Buffer], pick: Pick) -> list[Buffer]:
    """Gives each buffer in turn one of the gaps between those that live with it and are placed."""
    count = len(order)
    first, last, size = (
        np.array([getattr(b, n) for b in order], np.int64) for n in ("first", "last", "size")
    )
    offset = np.zeros(count, np.int64)
    for i in range(count):
        alive = np.flatnonzero((first[:i] <= last[i]) & (last[:i] >= first[i]) & (size[:i] > 0))
        offset[i] = _gap(offset[alive], size[alive], int(size[i]), pick)
    return [replace(b, offset=int(o)) for b, o in zip(order, offset, strict=True)]


def _gap(offsets: NDArray[np.int64], sizes: NDArray[np.int64], wanted: int, pick: Pick) -> int:
    """Returns the offset of a gap of at least `wanted` bytes, else the end."""
    if not offsets.size:
        return 0
    order = np.argsort(offsets, kind="stable")
    starts = offsets[order]
    ends = np.maximum.accumulate(starts + sizes[order])
    begins = np.concatenate(([0], ends[:-1]))
    gaps = starts - begins
    fitting = np.flatnonzero(gaps >= max(wanted, 1))
    return int(begins[fitting[pick(gaps[fitting])]]) if fitting.size else int(ends[-1])


def _live(buffers: Sequence[Buffer], ops: int) -> NDArray[np.int64]:
    """Returns how many bytes are alive before, at each op of, and after the graph."""
    change = np.zeros(ops + 3, np.int64)
    for b in buffers:
        change[b.first + 1] += b.size
        change[b.last + 2] -= b.size
    alive: NDArray[np.int64] = np.cumsum(change)[:-1]
    return alive


def _could_be_in_place(op: Emitted, at: int, places: dict[Value, Buffer], dialect: str) -> bool:
    if op.op not in IN_PLACE[dialect] or op.outputs[0] not in places:
        return False
    own = places[op.outputs[0]]
    operands = (places[v] for v in op.inputs if v in places)
    return any(b.last == at and b.size == own.size for b in operands)


def _parameters(main: Subgraph) -> int:
    """Returns the bytes of all constants, those of nested graphs included; shared arrays count once."""
    constants: dict[int, int] = {}
    pending = [main]
    while pending:
        graph = pending.pop()
        for op in graph.ops:
            constants.update(
                {id(v.data): size_of(v) or 0 for v in op.inputs if v is not None and v.data is not None}
            )
            pending += _nested(op)
    return sum(constants.values())
