"""Partitions: which parts of a model run in one go at one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
