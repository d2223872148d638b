"""Steps of a recurrent cell over a sequence: as straight code, or as a loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.cells import Cell, State
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.graphs import while_loop
from edgekit.lowering.coreml.parts import split, stack
from edgekit.lowering.ledger import Value


def unrolled(
    cell: Cell, gates: Term, state: State, lengths: Term | None, *, backwards: bool
) -> tuple[Term, State]:
    """Emits every step.

    Args:
        cell: The cell.
        gates: The input's share of the gates: (length, batch, gates * hidden), the length known.
        state: The state before the first step.
        lengths: The steps of each sequence, (batch, 1) in int32; `None` if all take all.
        backwards: Walk from the last step to the first.

    Returns:
        The outputs, (length, batch, hidden), and the state after the last step.
    """
    inputs = _unpacked(gates)
    outputs: list[Term] = []
    for t in reversed(range(len(inputs))) if backwards else range(len(inputs)):
        output, state = _step(cell, inputs[t], state, None if lengths is None else lengths > t)
        outputs.append(output)
    return _packed(outputs[::-1] if backwards else outputs), state


def _step(cell: Cell, x: Term, state: State, within: Term | None) -> tuple[Term, State]:
    """Advances; a sequence that has ended keeps its state and gives zeros."""
    after = cell.step(x, state)
    if within is None:
        return after[0], after
    kept = tuple(within.where(new, old) for new, old in zip(after, state, strict=True))
    return within.where(after[0], 0), kept


def looped(
    cell: Cell, gates: Term, state: State, lengths: Term | None, *, backwards: bool
) -> tuple[Term, State]:
    """Emits a WHILE over the steps; arguments and results are those of `unrolled`.

    The weights must be constants, which the nested graph holds itself.
    """
    b, batch, hidden = gates.b, gates.shape[1], state[0].shape[-1] or 0
    steps, count = sz.size_of(b, gates.value, 0), sz.size_of(b, gates.value, 1)
    everything = _zeros(b, [steps, count, hidden])
    starts = [_spread(b, s.value, count) for s in state]
    carried = [b.const(0, np.int32), gates.value, everything, *starts]
    carried += [] if lengths is None else [lengths.value]
    specs = [(v.dtype, v.shape) for v in carried]
    specs[3 : 3 + len(state)] = [(np.dtype(np.float32), (batch, hidden))] * len(state)

    def proceed(c: CoreMlBuilder, values: list[Value]) -> Value:
        return (Term(c, values[0]) < Term(c, sz.scalar(c, sz.size_of(c, values[1], 0)))).value

    def advance(c: CoreMlBuilder, values: list[Value]) -> Sequence[Value]:
        count, sequence, outputs, *rest = values
        before = tuple(Term(c, v) for v in rest[: len(state)])
        t = Term(c, count)
        if backwards:
            t = Term(c, sz.scalar(c, sz.size_of(c, sequence, 0))) - 1 - t
        x = Term(c, c.op("gather", x=sequence, indices=t.value, axis=0))
        within = None if lengths is None else Term(c, rest[-1]) > t
        output, after = _step(cell.inside(c), x, before, within)
        update, place = c.expand_dims(output.value, [0]), c.reshape(t.value, (1,))
        written = c.op("scatter", data=outputs, indices=place, updates=update, axis=0, mode="update")
        following = (Term(c, count) + 1).value
        return [following, sequence, written, *(s.value for s in after), *rest[len(state) :]]

    done = while_loop(b, carried, specs, proceed, advance)
    return Term(b, done[2]), tuple(Term(b, v) for v in done[3 : 3 + len(state)])


def _zeros(b: CoreMlBuilder, sizes: Sequence[sz.Size]) -> Value:
    return sz.filled(b, b.const(np.float32(0)), sizes)


def _spread(b: CoreMlBuilder, state: Value, count: sz.Size) -> Value:
    """Gives zeros that stand for the whole batch their full shape; other states have it."""
    if state.data is None or state.shape[0] != 1 or state.data.any():
        return state
    return _zeros(b, [count, state.shape[-1] or 0])


def _unpacked(x: Term) -> list[Term]:
    """Splits the first axis into single elements without it."""
    b = x.b
    return [Term(b, b.squeeze(part, [0])) for part in split(b, x.value, x.shape[0] or 1, 0)]


def _packed(parts: Sequence[Term]) -> Term:
    """Joins elements along a new first axis."""
    b = parts[0].b
    return Term(b, stack(b, [p.value for p in parts], 0))
