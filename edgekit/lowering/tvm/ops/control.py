"""Control flow: If, Loop, Scan."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.lowering.ledger import Shape, Subgraph, Value
from edgekit.lowering.nested import Spec, common, inline
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.graphs import MOST_STEPS, while_loop
from edgekit.lowering.tvm.table import lowers


@lowers("If", since=1)
def if_(b: TVMBuilder, n: Op) -> tuple[Value, ...]:
    """Runs one of two graphs; both take what either of them captures."""
    condition = b.reshape(n.operand(0), ())
    (yes, yes_captures), (no, no_captures) = n.subgraph("then_branch", []), n.subgraph("else_branch", [])
    if condition.data is not None:
        taken, own = (yes, yes_captures) if condition.data else (no, no_captures)
        return inline(b, taken, own)
    if any(a.rank != c.rank for a, c in zip(yes.outputs, no.outputs, strict=True)):
        n.refuse("its branches give tensors of different rank")
    captured = list(dict.fromkeys([*yes_captures, *no_captures]))
    results = [(a.dtype, common(a.shape, c.shape)) for a, c in zip(yes.outputs, no.outputs, strict=True)]
    attrs = {
        "yes": _taking(b, yes, yes_captures, captured),
        "no": _taking(b, no, no_captures, captured),
    }
    return b.multi("if", [condition, *captured], results, attrs)


def _taking(b: TVMBuilder, graph: Subgraph, own: Sequence[Value], wanted: Sequence[Value]) -> Subgraph:
    """Gives a branch the inputs that both branches have."""
    inside = dict(zip(own, graph.inputs, strict=True))
    return dataclasses.replace(
        graph, inputs=tuple(inside.get(v) or b.value(v.dtype, v.shape) for v in wanted)
    )


@lowers("Loop", since=1)
def loop(b: TVMBuilder, n: Op) -> tuple[Value, ...]:
    """A loop; what each step yields is collected in a tensor that the loop carries."""
    limit = None if n.input(0) is None else b.reshape(n.operand(0), ())
    ongoing = b.const(True, np.bool_) if n.input(1) is None else b.reshape(n.operand(1), ())
    initial = [n.operand(i) for i in range(2, len(n.inputs))]
    body, captured, shapes = _settled(n, b, initial)
    yields = body.outputs[1 + len(initial) :]
    stacks = [_Stack.of(n, len(initial) + i, limit, v) for i, v in enumerate(yields)]
    tail = [*([] if limit is None else [limit]), *captured]
    state = [b.const(0, np.int64), ongoing, *initial, *(s.start(b) for s in stacks), *tail]
    counters: list[Spec] = [(np.int64, ()), (np.bool_, ())]
    specs = [*counters, *_specs(initial, shapes, stacks, tail)]
    first, last = 2 + len(initial), 2 + len(initial) + len(stacks)

    def proceed(c: TVMBuilder, values: list[Value]) -> Value:
        if limit is None:
            return values[1]
        return c.map("logical_and", values[1], c.map("less", values[0], values[last], dtype=np.bool_))

    def step(c: TVMBuilder, values: list[Value]) -> list[Value]:
        inside = values[last if limit is None else last + 1 :]
        ongoing, *results = inline(c, body, [values[0], values[1], *values[2:first], *inside])
        pairs = zip(stacks, values[first:last], results[len(initial) :], strict=True)
        stacked = [s.push(c, whole, values[0], value) for s, whole, value in pairs]
        count = c.map("add", values[0], c.const(1, np.int64))
        return [count, c.reshape(ongoing, ()), *results[: len(initial)], *stacked, *values[last:]]

    most = MOST_STEPS if limit is None or limit.data is None else max(1, int(limit.data))
    ended = while_loop(b, state, specs, proceed, step, most)
    collected = [s.result(b, v, ended[0]) for s, v in zip(stacks, ended[first:last], strict=True)]
    return (*ended[2:first], *collected)


def _settled(
    n: Op, b: TVMBuilder, initial: Sequence[Value]
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
    state = [(v.dtype, shape) for v, shape in zip(initial, shapes, strict=True)]
    return [*state, *(s.spec for s in stacks), *((v.dtype, v.shape) for v in tail)]


@dataclass(frozen=True, slots=True)
class _Stack:
    """Collects a value of each step along a new first axis.

    Attributes:
        dtype: Dtype of the values.
        shape: Shape of a value.
        length: How many steps there are at most; `None` where known only at run time.
    """

    dtype: np.dtype[Any]
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

    def start(self, b: TVMBuilder) -> Value:
        """Room for all steps; or no row, to join others to."""
        return b.const(np.zeros((self.length or 0, *self.shape), self.dtype))

    def push(self, b: TVMBuilder, whole: Value, count: Value, value: Value) -> Value:
        """Adds the value of a step; `count` steps came before it."""
        row = b.unsqueeze(value, [0])
        if self.length is None:
            return b.op("concat", [whole, row], {"axis": 0}, dtype=self.dtype, shape=(None, *self.shape))
        return b.op("set_row", [whole, row, count], dtype=self.dtype, shape=whole.shape)

    def result(self, b: TVMBuilder, whole: Value, count: Value) -> Value:
        """Returns the rows that were filled."""
        if self.length is None:
            return whole
        bounds = [b.ints([0]), b.unsqueeze(count, [0]), b.ints([1])]
        return b.op("slice", [whole, *bounds], {"axes": [0]}, dtype=self.dtype, shape=(None, *self.shape))


@lowers("Scan", since=9)
def scan(b: TVMBuilder, n: Op) -> tuple[Value, ...]:
    """A loop over the entries of an axis."""
    count = n.attr("num_scan_inputs")
    operands = [n.operand(i) for i in range(len(n.inputs))]
    initial, scanned = operands[: len(operands) - count], operands[len(operands) - count :]
    axes = [a % v.rank for a, v in zip(n.attr("scan_input_axes") or [0] * count, scanned, strict=True)]
    flips = n.attr("scan_input_directions") or [0] * count
    rows = [_rows(b, v, axis, bool(f)) for v, axis, f in zip(scanned, axes, flips, strict=True)]
    length = next((r.shape[0] for r in rows if r.shape[0] is not None), None)
    if length is None:
        n.refuse("the number of steps is known only at run time", code="EK305")
    formals = [b.value(v.dtype, v.shape) for v in initial]
    body, captured = n.subgraph("body", [*formals, *(b.value(v.dtype, v.shape[1:]) for v in rows)])
    limit = b.const(length, np.int64)
    stacks = [_Stack.of(n, len(initial) + i, limit, v) for i, v in enumerate(body.outputs[len(initial) :])]
    tail = [*rows, *captured]
    state = [b.const(0, np.int64), *initial, *(s.start(b) for s in stacks), *tail]
    counter: list[Spec] = [(np.int64, ())]
    specs = [*counter, *_specs(initial, [v.shape for v in initial], stacks, tail)]
    first, last = 1 + len(initial), 1 + len(initial) + len(stacks)

    def step(c: TVMBuilder, values: list[Value]) -> list[Value]:
        entries = [_entry(c, v, values[0]) for v in values[last : last + len(rows)]]
        results = inline(c, body, [*values[1:first], *entries, *values[last + len(rows) :]])
        pairs = zip(stacks, values[first:last], results[len(initial) :], strict=True)
        stacked = [s.push(c, whole, values[0], value) for s, whole, value in pairs]
        following = c.map("add", values[0], c.const(1, np.int64))
        return [following, *results[: len(initial)], *stacked, *values[last:]]

    ended = while_loop(
        b, state, specs, lambda c, values: c.map("less", values[0], limit, dtype=np.bool_), step, length
    )
    return (*ended[1:first], *_placed(b, n, ended[first:last]))


def _rows(b: TVMBuilder, x: Value, axis: int, flip: bool) -> Value:
    """Brings the scanned axis to the front, in the order of the steps."""
    front = b.transpose(x, [axis, *(i for i in range(x.rank) if i != axis)])
    return _flipped(b, front) if flip else front


def _flipped(b: TVMBuilder, x: Value) -> Value:
    bounds = [b.ints([-1]), b.ints([-(2**62)]), b.ints([-1])]
    return b.op("slice", [x, *bounds], {"axes": [0]}, dtype=x.dtype, shape=x.shape)


def _entry(b: TVMBuilder, x: Value, step: Value) -> Value:
    return b.op("gather", [x, step], {"axis": 0}, dtype=x.dtype, shape=x.shape[1:])


def _placed(b: TVMBuilder, n: Op, results: Sequence[Value]) -> list[Value]:
    """Puts the axis of the steps where each output has it, in its order."""
    axes = n.attr("scan_output_axes") or [0] * len(results)
    flips = n.attr("scan_output_directions") or [0] * len(results)
    placed = []
    for value, axis, flip in zip(results, axes, flips, strict=True):
        value = _flipped(b, value) if flip else value
        order = list(range(1, value.rank))
        order.insert(axis % value.rank, 0)
        placed.append(b.transpose(value, order))
    return placed
