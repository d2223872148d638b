"""A picture of a table of schemes: latency to the right, SQNR upwards, size as area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from edgekit.report.model import Kind, Row, Table
from edgekit.report.values import clean, show

_WIDTH, _HEIGHT = 860, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 130, 24, 52
_CROWDED = 8
"""Times the fastest from which the latencies are shown in decades."""
_LARGEST = 22.0
"""Radius of the largest artifact."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where values lie between two ends; with `decades`, their logarithms do."""

    low: float
    high: float
    start: float
    end: float
    decades: bool = False

    def at(self, value: float) -> float:
        """Returns the place of a value on the page."""
        low, high, value = (math.log10(v) for v in (self.low, self.high, value)) if self.decades else (
            self.low, self.high, value
        )  # fmt: skip
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Returns a handful of round values."""
        if self.decades:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            round_ones = (m * 10.0**p for p in powers for m in (1, 2, 5))
            return [v for v in round_ones if self.low <= v <= self.high]
        unit = 10 ** math.floor(math.log10((self.high - self.low) / 6))
        step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= (self.high - self.low) / 6)
        return [n * step for n in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def scatter(table: Table) -> Markup | None:
    """Returns the picture as SVG; `None` if fewer than two schemes have both numbers.

    The float model has no noise: a vertical line stands at its latency.
    """
    rows = [r for r in table.rows if _number(r, "latency_ms") is not None and _number(r, "size")]
    points = [r for r in rows if math.isfinite(_number(r, "sqnr_db") or math.inf)]
    if len(points) < 2:
        return None
    x = _latencies([_number(r, "latency_ms") or 0 for r in rows])
    y = _axis([_number(r, "sqnr_db") or 0 for r in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(x, y)]
    parts += [_line(r, x) for r in rows if r not in points]
    parts.append(_front(points, x, y))
    largest = max(_number(r, "size") or 1 for r in rows)
    parts += [_bubble(r, x, y, largest) for r in sorted(points, key=lambda r: -(_number(r, "size") or 0))]
    parts += _labels(points, x, y, largest)
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, "latency and signal-to-noise ratio of each scheme", Markup("").join(parts)
    )


def _number(row: Row, key: str) -> float | None:
    value = row.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    low, high = min(values), max(values)
    slack = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    return _Axis(low - slack, high + slack, start, end)


def _latencies(values: Sequence[float]) -> _Axis:
    """Returns the axis of latencies: from zero, or in decades where the slowest would crowd the others."""
    low, high = min(values), max(values)
    if low > 0 and high > _CROWDED * low:
        return _Axis(low / 1.4, high * 1.4, _LEFT, _WIDTH - _RIGHT, decades=True)
    return _Axis(0.0, 1.12 * high or 1.0, _LEFT, _WIDTH - _RIGHT)


def _frame(x: _Axis, y: _Axis) -> Markup:
    parts = []
    for value in y.ticks():
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                _LEFT, _WIDTH - _RIGHT, y.at(value), y.at(value)
            )
            + Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{:g}</text>').format(
                _LEFT - 8, y.at(value) + 4, value
            )
        )
    for value in x.ticks():
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(
                x.at(value), _HEIGHT - _BOTTOM + 18, value
            )
        )
    base = _HEIGHT - _BOTTOM
    parts.append(
        Markup('<line class="rule" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            _LEFT, _WIDTH - _RIGHT, base, base
        )
    )
    parts.append(
        Markup('<text class="title" x="{}" y="{}" text-anchor="end">latency in ms, measured</text>').format(
            _WIDTH - _RIGHT, _HEIGHT - 10
        )
    )
    parts.append(Markup('<text class="title" x="{}" y="14">SQNR in dB</text>').format(8))
    return Markup("").join(parts)


def _line(row: Row, x: _Axis) -> Markup:
    place = x.at(_number(row, "latency_ms") or 0)
    return Markup(
        '<line class="float" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
        '<text class="name" x="{3:.1f}" y="{4}">{5}, {6}</text>'
    ).format(
        place,
        _TOP,
        _HEIGHT - _BOTTOM,
        place + 6,
        _TOP + 10,
        clean(str(row["scheme"])),
        show(row["size"], Kind.SIZE),
    )


def _front(points: Sequence[Row], x: _Axis, y: _Axis) -> Markup:
    """Returns the line through those that no other beats in latency and noise."""
    best: list[Row] = []
    for row in sorted(points, key=lambda r: (_number(r, "latency_ms") or 0, -(_number(r, "sqnr_db") or 0))):
        if not best or (_number(row, "sqnr_db") or 0) > (_number(best[-1], "sqnr_db") or 0):
            best.append(row)
    if len(best) < 2:
        return Markup("")
    places = " ".join(
        f"{x.at(_number(r, 'latency_ms') or 0):.1f},{y.at(_number(r, 'sqnr_db') or 0):.1f}" for r in best
    )
    return Markup('<polyline class="front" points="{}"/>').format(places)


def _radius(row: Row, largest: float) -> float:
    return max(4.0, _LARGEST * math.sqrt((_number(row, "size") or 0) / largest))


def _bubble(row: Row, x: _Axis, y: _Axis, largest: float) -> Markup:
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>').format(
        "best" if row["best"] == "yes" else "beaten",
        x.at(_number(row, "latency_ms") or 0),
        y.at(_number(row, "sqnr_db") or 0),
        _radius(row, largest),
    )


def _labels(points: Sequence[Row], x: _Axis, y: _Axis, largest: float) -> list[Markup]:
    """Returns names beside their points, moved down where they would lie over one another."""
    parts: list[Markup] = []
    taken: list[tuple[float, float]] = []
    for row in sorted(points, key=lambda r: -(_number(r, "sqnr_db") or 0)):
        left = x.at(_number(row, "latency_ms") or 0) + _radius(row, largest) + 5
        top = y.at(_number(row, "sqnr_db") or 0) + 4
        while any(abs(left - a) < 150 and abs(top - b) < 14 for a, b in taken):
            top += 14
        taken.append((left, top))
        text = f"{clean(str(row['scheme']))}, {show(row['size'], Kind.SIZE)}"
        parts.append(
            Markup('<text class="name" x="{:.1f}" y="{:.1f}">{}</text>').format(left, top, escape(text))
        )
    return parts
