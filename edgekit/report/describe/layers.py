"""The layers with integer kernels, each alone: by op, and one by one."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.artifact import LayerDelta
from edgekit.report.model import Column, Kind, Row, Section, Table

_NUMBERS = (
    Column("elements", "elements", Kind.COUNT),
    Column("one", "1 off", Kind.COUNT),
    Column("more", "more", Kind.COUNT),
    Column("largest", "most", Kind.COUNT),
    Column("farthest", "from real", Kind.REAL),
    Column("predicted", "by rule", Kind.COUNT),
    Column("rule", "rule of the kernel"),
)


def sections(layers: Sequence[LayerDelta]) -> tuple[Section, ...]:
    """Returns the layers by op, and all of them as a detail; nothing where there are none."""
    return (_by_op(layers), _all(layers)) if layers else ()


def _by_op(layers: Sequence[LayerDelta]) -> Table:
    groups: dict[str, list[LayerDelta]] = {}
    for layer in layers:
        groups.setdefault(layer.op, []).append(layer)
    rows = tuple({"op": op, "count": len(group), **_sums(group)} for op, group in groups.items())
    columns = (Column("op", "op", Kind.NAME), Column("count", "layers", Kind.COUNT), *_NUMBERS)
    bad = sum(not layer.holds for layer in layers)
    note = (
        "elements that are steps off, each layer alone on the integers of the QDQ model; `from real` is how"
    )
    note += " far the farthest of them is from the real before it is rounded, 0.5 for a half"
    note += f"; {bad} differ by more than rounding" if bad else "; none differs by more than rounding"
    return Table("layers_by_op", "Layers alone against the QDQ model", columns, rows, note)


def _sums(group: Sequence[LayerDelta]) -> Row:
    rules = dict.fromkeys(g.rule for g in group if g.rule is not None)
    return {
        "elements": sum(g.elements for g in group),
        "one": sum(g.one for g in group),
        "more": sum(g.more for g in group),
        "largest": max(g.largest for g in group),
        "farthest": max((g.farthest for g in group if g.farthest is not None), default=None),
        "rule": "; ".join(rules) or None,
        "predicted": sum(g.predicted for g in group) if rules else None,
    }


def _all(layers: Sequence[LayerDelta]) -> Table:
    columns = (
        Column("tensor", "tensor", Kind.NAME),
        Column("op", "op", Kind.NAME),
        *_NUMBERS,
        Column("holds", "verdict", Kind.STATUS),
    )
    rows: tuple[Row, ...] = tuple(
        {"tensor": g.tensor, "op": g.op, **_sums([g]), "holds": "agree" if g.holds else "differ"}
        for g in layers
    )
    return Table("layers", "Layers one by one", columns, rows, detail=True)
