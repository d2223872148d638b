"""Control flow: If, Loop, Scan."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.graphs import branch, while_loop
from edgekit.lowering.coreml.movement import cut
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Shape, Subgraph, Value
from edgekit.lowering.nested import Spec, common, inline, int64
from edgekit.lowering.op import Op


@lowers("If", since=1)
def if_(b: CoreMlBuilder, n: Op) -> tuple[Value, ...]:
    """If -> cond; both branches take what either of them captures."""
    condition = b.reshape(n.operand(0), ())
    (yes, yes_captures), (no, no_captures) = n.subgraph("then_branch", []), n.subgraph("else_branch", [])
    captured = list(dict.fromkeys([*yes_captures, *no_captures]))
    if condition.data is not None:
        taken, own = (yes, yes_captures) if condition.data else (no, no_captures)
        return inline(b, taken, own)
    if any(a.rank != c.rank for a, c in zip(yes.outputs, no.outputs, strict=True)):
        n.refuse("its branches give tensors of different rank")
    return branch(
        b, condition, captured, _taking(b, yes, yes_captures, captured), _taking(b, no, no_captures, captured)
    )


def _taking(b: CoreMlBuilder, graph: Subgraph, own: Sequence[Value], wanted: Sequence[Value]) -> Subgraph:
    """Gives a branch the inputs that both branches have."""
    inside = dict(zip(own, graph.inputs, strict=True))
    return dataclasses.replace(
        graph, inputs=tuple(inside.get(v) or b.value(v.dtype, v.shape, v.quant) for v in wanted)
    )


@lowers("Loop", since=1)
def loop(b: CoreMlBuilder, n: Op) -> tuple[Value, ...]:
    """Loop -> while_loop; what each step yields is collected in a tensor that the loop carries."""
    limit = None if n.input(0) is None else b.reshape(n.operand(0), ())
    ongoing = b.const(True, np.bool_) if n.input(1) is None else b.reshape(n.operand(1), ())
    initial = [n.operand(i) for i in range(2, len(n.inputs))]
    body, captured, shapes = _settled(b, n, initial)
    yields = body.outputs[1 + len(initial) :]
    always = ongoing.data is not None and bool(ongoing.data) and _is_true(body.outputs[0])
    stacks = [_Stack.of(n, len(initial) + i, limit, v) for i, v in enumerate(yields)]
    tail = [*([] if limit is None else [limit]), *captured]
    state = [int64(b, 0), ongoing, *initial, *(s.start(b) for s in stacks), *tail]
    specs = _specs(initial, shapes, stacks, tail)
    first, last = 2 + len(initial), 2 + len(initial) + len(stacks)

    def proceed(c: CoreMlBuilder, values: list[Value]) -> Value:
        if limit is None:
            return values[1]
        return c.binary("logical_and", values[1], c.binary("less", values[0], values[last]))

    def step(c: CoreMlBuilder, values: list[Value]) -> list[Value]:
        inside = values[last if limit is None else last + 1 :]
        ongoing, *results = inline(c, body, [values[0], values[1], *values[2:first], *inside])
        pairs = zip(stacks, values[first:last], results[len(initial) :], strict=True)
        stacked = [s.push(c, whole, values[0], value) for s, whole, value in pairs]
        count = c.binary("add", values[0], int64(c, 1))
        return [count, c.reshape(ongoing, ()), *results[: len(initial)], *stacked, *values[last:]]

    ended = while_loop(b, state, specs, proceed, step)
    collected = [
        s.result(b, v, None if always else ended[0]) for s, v in zip(stacks, ended[first:last], strict=True)
    ]
    return (*ended[2:first], *collected)


def _is_true(value: Value) -> bool:
    return value.data is not None and bool(value.data.all())


def _settled(
    b: CoreMlBuilder, n: Op, initial: Sequence[Value]
) -> tuple[Subgraph, tuple[Value, ...], list[Shape]]:
    """Lowers the body on shapes that hold before and after every step."""
    shapes = [v.shape for v in initial]
    while True:
        formals = [b.value(v.dtype, shape) for v, shape in zip(initial, shapes, strict=True)]
        body, captured = n.subgraph("body", [b.value(np.int64, ()), b.value(np.bool_, ()), *formals])
        after = [v.shape for v in body.outputs[1 : 1 + len(initial)]]
        if any(len(a) != len(c) for a, c in zip(shapes, after, strict=True)):
            n.refuse("a value that the loop carries changes its rank", code="EK305")
        merged = [common(a, c) for a, c in zip(shapes, after, strict=True)]
        if merged == shapes:
            return body, captured, shapes
        shapes = merged


def _specs(
    initial: Sequence[Value], shapes: Sequence[Shape], stacks: Sequence[_Stack], tail: Sequence[Value]
) -> list[Spec]:
    counters: list[Spec] = [(np.int64, ()), (np.bool_, ())]
    state = [(v.dtype, shape) for v, shape in zip(initial, shapes, strict=True)]
    return [*counters, *state, *(s.spec for s in stacks), *((v.dtype, v.shape) for v in tail)]


@dataclass(frozen=True, slots=True)
class _Stack:
    """Collects a value of each step along a new first axis.

    Attributes:
        dtype: Dtype of the values.
        shape: Shape of a value.
        length: How many steps there are at most; `None` where known only at run time.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    length: int | None

    @classmethod
    def of(cls, n: Op, index: int, limit: Value | None, value: Value) -> _Stack:
        """Describes the stack of a value that every step yields; `index` is the output's."""
        declared = n.out(index).shape or (None,) * (1 + value.rank)
        sizes = [a if a is not None else d for a, d in zip(value.shape, declared[1:], strict=True)]
        shape = tuple(s for s in sizes if s is not None)
        if len(shape) < len(sizes):
            n.refuse("a step yields a tensor whose shape is known only at run time", code="EK305")
        known = None if limit is None or limit.data is None else max(0, int(limit.data))
        return cls(value.dtype, shape, known)

    @property
    def spec(self) -> Spec:
        """Dtype and shape of the tensor that the loop carries."""
        return self.dtype, (self.length, *self.shape)

    def start(self, b: CoreMlBuilder) -> Value:
        """Room for all steps; or one row to join others to, since Core ML has no empty tensors."""
        return b.const(np.zeros((1 if self.length is None else self.length, *self.shape), self.dtype))

    def push(self, b: CoreMlBuilder, whole: Value, count: Value, value: Value) -> Value:
        """Adds the value of a step; `count` steps came before it."""
        row = b.reshape(value, (1, *self.shape))
        if self.length is None:
            return b.concat([whole, row], 0)
        at = b.reshape(b.int32(count), (1,))
        if self.dtype == np.bool_:
            whole, row = b.cast(whole, np.int32), b.cast(row, np.int32)
        written = b.op("scatter", data=whole, indices=at, updates=row, axis=0, mode="update")
        return b.cast(written, self.dtype)

    def result(self, b: CoreMlBuilder, whole: Value, count: Value | None) -> Value:
        """Returns the rows that were filled; all of them without a count."""
        rest = len(self.shape)
        if self.length is None:
            return cut(b, whole, 0, 1, None)
        if count is None:
            return whole
        ends = b.concat([b.reshape(b.int32(count), (1,)), b.ints([0] * rest)], 0)
        made = b.value(self.dtype, (None, *self.shape))
        masks = {"begin_mask": [True] * (1 + rest), "end_mask": [False] + [True] * rest}
        b.emit(
            "slice_by_index", {"x": whole, "begin": b.ints([0] * (1 + rest)), "end": ends, **masks}, [made]
        )
        return made


@lowers("Scan", since=11)
def scan(b: CoreMlBuilder, n: Op) -> tuple[Value, ...]:
    """Scan -> while_loop over the entries of an axis."""
    count = n.attr("num_scan_inputs")
    operands = [n.operand(i) for i in range(len(n.inputs))]
    initial, scanned = operands[: len(operands) - count], operands[len(operands) - count :]
    axes = [a % v.rank for a, v in zip(n.attr("scan_input_axes") or [0] * count, scanned, strict=True)]
    flips = n.attr("scan_input_directions") or [0] * count
    rows = [_rows(b, v, axis, flip) for v, axis, flip in zip(scanned, axes, flips, strict=True)]
    length = next((r.shape[0] for r in rows if r.shape[0] is not None), None)
    steps = b.relabel(sz.scalar(b, sz.size_of(b, rows[0], 0)), np.int64)
    body, captured, shapes = _settled_scan(b, n, initial, rows)
    yields = body.outputs[len(initial) :]
    limit = steps if length is None else int64(b, length)
    stacks = [_Stack.of(n, len(initial) + i, limit, v) for i, v in enumerate(yields)]
    tail = [limit, *rows, *captured]
    state = [int64(b, 0), *initial, *(s.start(b) for s in stacks), *tail]
    first, last = 1 + len(initial), 1 + len(initial) + len(stacks)
    specs = [_spec for i, _spec in enumerate(_specs(initial, shapes, stacks, tail)) if i != 1]

    def proceed(c: CoreMlBuilder, values: list[Value]) -> Value:
        return c.binary("less", values[0], values[last])

    def step(c: CoreMlBuilder, values: list[Value]) -> list[Value]:
        own = [_row_at(c, v, values[0]) for v in values[last + 1 : last + 1 + len(rows)]]
        inside = values[last + 1 + len(rows) :]
        results = inline(c, body, [*values[1:first], *own, *inside])
        pairs = zip(stacks, values[first:last], results[len(initial) :], strict=True)
        stacked = [s.push(c, whole, values[0], value) for s, whole, value in pairs]
        return [c.binary("add", values[0], int64(c, 1)), *results[: len(initial)], *stacked, *values[last:]]

    ended = while_loop(b, state, specs, proceed, step)
    return (*ended[1:first], *_placed(b, n, stacks, ended[first:last]))


def _rows(b: CoreMlBuilder, x: Value, axis: int, flip: int) -> Value:
    """Brings the scanned axis to the front, in the order of the steps."""
    front = b.transpose(x, [axis, *(i for i in range(x.rank) if i != axis)])
    return b.op("reverse", x=front, axes=[0]) if flip else front


def _row_at(b: CoreMlBuilder, x: Value, step: Value) -> Value:
    return b.moved(x, lambda v: b.op("gather", x=v, indices=b.int32(step), axis=0))


def _settled_scan(
    b: CoreMlBuilder, n: Op, initial: Sequence[Value], rows: Sequence[Value]
) -> tuple[Subgraph, tuple[Value, ...], list[Shape]]:
    """Lowers the body; the state of a scan keeps its shape."""
    formals = [b.value(v.dtype, v.shape) for v in initial]
    entries = [b.value(v.dtype, v.shape[1:]) for v in rows]
    body, captured = n.subgraph("body", [*formals, *entries])
    return body, captured, [v.shape for v in initial]


def _placed(b: CoreMlBuilder, n: Op, stacks: Sequence[_Stack], results: Sequence[Value]) -> list[Value]:
    """Puts the axis of the steps where each output has it, in its order."""
    axes = n.attr("scan_output_axes") or [0] * len(stacks)
    flips = n.attr("scan_output_directions") or [0] * len(stacks)
    placed = []
    for stack, whole, axis, flip in zip(stacks, results, axes, flips, strict=True):
        value = stack.result(b, whole, None)
        value = b.op("reverse", x=value, axes=[0]) if flip else value
        order = list(range(1, value.rank))
        order.insert(axis % value.rank, 0)
        placed.append(b.transpose(value, order))
    return placed
