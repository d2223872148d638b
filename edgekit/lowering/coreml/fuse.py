"""Two ops of the ledger as one, where MIL has one that does both: a bias, a transposition, a dropped axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.lowering.coreml.builder import Slot
from edgekit.lowering.ledger import Emitted, Subgraph, Value

Rule = Callable[["_Work", Emitted], Emitted | None]
"""Returns what takes the place of an op, and of the one before it; `None` where the rule does not apply."""


def fuse(graph: Subgraph) -> Subgraph:
    """Fuses what can be fused; nested graphs stay as they are.

    Args:
        graph: A complete graph.
    """
    uses = Counter(v for op in graph.ops for v in op.inputs if v is not None)
    uses.update(graph.outputs)
    work = _Work({}, uses)
    for op in graph.ops:
        fused = next((made for rule in _RULES.get(op.op, ()) if (made := rule(work, op)) is not None), op)
        work.add(fused)
    return replace(graph, ops=tuple(work.ops.values()))


@dataclass(slots=True)
class _Work:
    """Ops so far, by their first result."""

    ops: dict[Value, Emitted]
    uses: Counter[Value]

    def add(self, op: Emitted) -> None:
        self.ops[op.outputs[0]] = op

    def before(self, value: Value | None, name: str) -> Emitted | None:
        """Returns the op of a type that makes a value for one reader alone."""
        op = None if value is None else self.ops.get(value)
        if op is None or value is None or op.op != name or self.uses[value] != 1:
            return None
        return op

    def joined(self, first: Emitted, second: Emitted, attrs: Mapping[str, Any], *inputs: Value) -> Emitted:
        """Takes the first op out and returns one that does what both did."""
        del self.ops[first.outputs[0]]
        return replace(
            second, op=first.op, inputs=inputs, attrs=dict(attrs), origin=first.origin | second.origin
        )


def _operand(op: Emitted, name: str) -> Value | None:
    slot = op.attrs.get(name)
    return op.inputs[slot.index] if isinstance(slot, Slot) else None


def _bias(work: _Work, op: Emitted) -> Emitted | None:
    """Linear and the addition of a number for each column -> linear with a bias."""
    for left, right in ((0, 1), (1, 0)):
        total, bias = op.inputs[left], op.inputs[right]
        first = work.before(total, "linear")
        if first is None or "bias" in first.attrs or bias is None or bias.data is None or total is None:
            continue
        if bias.shape[-1:] != total.shape[-1:] or bias.data.size != bias.shape[-1] or bias.rank > total.rank:
            continue
        vector = Value(bias.dtype, (bias.data.size,), bias.data.reshape(-1))
        inputs = [v for v in first.inputs if v is not None]
        return work.joined(first, op, {**first.attrs, "bias": Slot(len(inputs))}, *inputs, vector)
    return None


def _transposed(work: _Work, op: Emitted) -> Emitted | None:
    """Transposition of the last two axes before matmul -> matmul that reads it transposed."""
    for name in ("x", "y"):
        turned = _operand(op, name)
        first = work.before(turned, "transpose")
        if first is None or turned is None or first.inputs[0] is None:
            continue
        kept = list(range(turned.rank))
        if list(first.attrs["perm"]) != [*kept[:-2], kept[-1], kept[-2]]:
            continue
        flag = f"transpose_{name}"
        inputs = [first.inputs[0] if v is turned else v for v in op.inputs if v is not None]
        attrs = {**op.attrs, flag: not op.attrs.get(flag, False)}
        return replace(work.joined(first, op, attrs, *inputs), op="matmul")
    return None


def _picked(work: _Work, op: Emitted) -> Emitted | None:
    """A slice of one element and squeeze -> a slice that drops the axis."""
    first = work.before(op.inputs[0], "slice_by_index")
    axes = [int(a) for a in op.attrs["axes"]]
    if first is None or "squeeze_mask" in first.attrs or not op.outputs[0].rank or first.inputs[0] is None:
        return None
    rank, begin = first.inputs[0].rank, first.attrs["begin"]
    if isinstance(begin, Slot):
        return None
    starts, opened = list(begin), list(first.attrs.get("begin_mask", [False] * rank))
    steps = list(first.attrs.get("stride", [1] * rank))
    if any(steps[a] != 1 for a in axes):
        return None
    for axis in axes:
        starts[axis], opened[axis] = 0 if opened[axis] else starts[axis], False
    masks = {"begin": starts, "begin_mask": opened, "squeeze_mask": [i in axes for i in range(rank)]}
    return work.joined(first, op, {**first.attrs, **masks}, *(v for v in first.inputs if v is not None))


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "add": (_bias,),
    "matmul": (_transposed,),
    "squeeze": (_picked,),
}
