"""Rules on resizing and slicing."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import all_within
from edgekit.compat.rules.registry import rule


def _scales(op: Facts) -> tuple[float, float] | None:
    if op.ifm is None or op.ofm is None:
        return None
    pairs = [(op.size(op.ifm, a), op.size(op.ofm, a)) for a in "HW"]
    if any(not a or b is None for a, b in pairs):
        return None
    height, width = ((b or 0) / (a or 1) for a, b in pairs)
    return height, width


@rule("resize-scale-in")
def resize_scale_in(op: Facts, *, scales: tuple[str, ...]) -> Finding | None:
    """height and width must grow by one of {scales}"""
    found = _scales(op)
    if found is None:
        return unknown("a size")
    return None if all(f"{s:g}" in scales for s in found) else fails(f"{found[0]:g} and {found[1]:g}")


@rule("resize-integer")
def resize_integer(op: Facts) -> Finding | None:
    """height and width must grow by whole factors"""
    found = _scales(op)
    if found is None:
        return unknown("a size")
    return None if all(s >= 1 and s.is_integer() for s in found) else fails(f"{found[0]:g} and {found[1]:g}")


@rule("resize-square")
def resize_square(op: Facts) -> Finding | None:
    """height and width must grow by the same factor"""
    found = _scales(op)
    if found is None:
        return unknown("a size")
    return None if found[0] == found[1] else fails(f"{found[0]:g} and {found[1]:g}")


@rule("slice-strides")
def slice_strides(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """strides of the slice must be in [{low}, {high}]"""
    steps = op.ints("strides") if "strides" in op.roles else op.ints("steps")
    if steps is None and "steps" not in op.roles and "strides" not in op.roles:
        return None  # a step that is left out is 1
    return all_within(steps, low, high, "stride")
