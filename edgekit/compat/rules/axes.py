"""Rules on the axes that an op works along."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.registry import rule


@rule("axes-among", needs="axes")
def axes_among(op: Facts, *, letters: str) -> Finding | None:
    """it may work along {letters} only"""
    found = _letters(op)
    if found is None:
        return unknown("the axis")
    wrong = [letter for letter in found if letter not in letters]
    return fails(f"along {', '.join(wrong)}") if wrong else None


@rule("axes-exactly", needs="axes")
def axes_exactly(op: Facts, *, letters: tuple[str, ...]) -> Finding | None:
    """it must work along one of {letters}

    Each is the set of axes in the order of the tensor, such as `HW`.
    """
    found = _letters(op)
    if found is None:
        return unknown("the axis")
    return (
        None
        if "".join(sorted(found)) in {"".join(sorted(s)) for s in letters}
        else fails(f"along {', '.join(found)}")
    )


def _letters(op: Facts) -> list[str] | None:
    if op.axes is None or op.ifm is None:
        return None
    letters = op.letters(op.ifm)
    return [letters[axis] if axis < len(letters) else "?" for axis in op.axes]


@rule("axis-last", needs="axes")
def axis_last(op: Facts) -> Finding | None:
    """it must work along the last axis"""
    if op.axes is None or op.ifm is None:
        return unknown("the axis")
    last = op.ifm.rank - 1
    return None if all(axis == last for axis in op.axes) else fails(f"axis {', '.join(map(str, op.axes))}")


@rule("axis-not", needs="axes")
def axis_not(op: Facts, *, positions: tuple[int, ...]) -> Finding | None:
    """it must not work along axis {positions}"""
    if op.axes is None:
        return unknown("the axis")
    wrong = [axis for axis in op.axes if axis in positions]
    return fails(f"axis {', '.join(map(str, wrong))}") if wrong else None


@rule("axes-from-end", needs="axes")
def axes_from_end(op: Facts, *, allowed: tuple[int, ...]) -> Finding | None:
    """counted from the end, the axis must be one of {allowed}"""
    if op.axes is None or op.ifm is None:
        return unknown("the axis")
    found = [axis - op.ifm.rank for axis in op.axes]
    return None if all(a in allowed for a in found) else fails(f"axis {', '.join(map(str, found))}")


@rule("axes-last-two", needs="axes")
def axes_last_two(op: Facts) -> Finding | None:
    """it must work along one of the last two axes"""
    return axes_from_end(op, allowed=(-1, -2))
