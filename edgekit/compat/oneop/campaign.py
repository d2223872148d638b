"""Many models of an op: drawn with seeds, or turned at each knob in turn."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from edgekit.compat.oneop.draw import Draw, Knob
from edgekit.compat.oneop.model import Meaningless, OneOp
from edgekit.compat.oneop.table import one_op


def drawn(name: str, seeds: Iterable[int]) -> Iterator[OneOp]:
    """Draws models of an op; draws that contradict themselves are left out.

    Args:
        name: The op.
        seeds: Seeds; the same seed draws other knobs for another op.
    """
    for seed in seeds:
        made = _built(name, Draw(seed=zlib.crc32(f"{name} {seed}".encode())))
        if made is not None:
            yield made


def turned_once(name: str) -> Iterator[OneOp]:
    """Gives the base model of an op, and those with one knob turned: to each value, or around each limit."""
    base = Draw()
    yield one_op(name, base)
    for knob, about in base.asked.items():
        for value in values_of(about):
            made = _built(name, Draw(fixed={knob: value}))
            if made is not None:
                yield made


def values_of(knob: Knob) -> list[Any]:
    """Returns what to turn a knob to: all of a list; of a size, the neighbours of its limits and base."""
    if knob.low is None or knob.high is None:
        return [v for i, v in enumerate(knob.values) if v != knob.base and v not in knob.values[:i]]
    around = {at + step for at in (knob.low, knob.base, *knob.near) for step in (-1, 0, 1)}
    return sorted(size for size in around if size >= knob.low and size != knob.base)


def _built(name: str, draw: Draw) -> OneOp | None:
    try:
        return one_op(name, draw)
    except Meaningless:
        return None
