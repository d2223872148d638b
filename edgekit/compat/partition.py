"""Partitions: which parts of a model run in one go at one place, and what passes between places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.compat.cost import size_of
from edgekit.compat.finding import JudgedOp, Placement
from edgekit.lowering.ledger import Value


@dataclass(frozen=True, slots=True)
class Partition:
    """Ops that run in one go at one place.

    Attributes:
        placement: The place.
        ops: Positions of the ops, in execution order.
    """

    placement: Placement
    ops: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Crossings:
    """What passes between places while the model runs; its public inputs and outputs are not counted.

    Attributes:
        tensors: How many tensors pass; one that two places read passes twice.
        bytes: Their bytes; `None` where a size is not known.
    """

    tensors: int
    bytes: int | None


def partitions(ops: Sequence[JudgedOp]) -> tuple[Partition, ...]:
    """Splits ops as runtimes with delegates do: each runs as early as its operands allow.

    An op belongs to the next partition of its place when it needs, at whatever distance, what an earlier
    partition of another place makes.

    Args:
        ops: The ops of one graph, in execution order.
    """
    epochs: dict[Value, tuple[int, Placement]] = {}
    found: dict[tuple[int, Placement], list[int]] = {}
    for op in ops:
        made = [epochs[v] for v in op.emitted.inputs if v in epochs]
        epoch = max((e + (place is not op.placement) for e, place in made), default=0)
        epochs.update(dict.fromkeys(op.emitted.outputs, (epoch, op.placement)))
        found.setdefault((epoch, op.placement), []).append(op.index)
    return tuple(
        Partition(place, tuple(of)) for (_, place), of in sorted(found.items(), key=lambda p: p[0][0])
    )


def crossings(ops: Sequence[JudgedOp], placements: Sequence[Placement] | None = None) -> Crossings:
    """Counts the tensors that one place makes and another reads.

    Args:
        ops: The ops in execution order.
        placements: Where they would run, if not where they were judged to.
    """
    where = [op.placement for op in ops] if placements is None else list(placements)
    made: dict[Value, Placement] = {}
    passed: set[tuple[Value, Placement]] = set()
    for op, place in zip(ops, where, strict=True):
        passed.update(
            (v, place) for v in op.emitted.inputs if v is not None and made.get(v, place) is not place
        )
        made.update(dict.fromkeys(op.emitted.outputs, place))
    sizes = [size_of(value) for value, _ in passed]
    known = [s for s in sizes if s is not None]
    return Crossings(len(sizes), sum(known) if len(known) == len(sizes) else None)
