"""How a value is shown to people, by its kind; the same in every format."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgekit.report.model import Graph, Kind, Value

RIGHT = frozenset(
    {Kind.COUNT, Kind.SIZE, Kind.OPS, Kind.REAL, Kind.SHARE, Kind.DECIBEL, Kind.COSINE, Kind.SECONDS}
)
"""Kinds that are set flush right."""

MISSING = "-"
"""Stands for a value that does not exist; an unknown one is the word `unknown`."""


def show(value: Value, kind: Kind) -> str:
    """Returns the text for a value.

    Args:
        value: The bare value; `None` is shown as a dash, a string as it is, whatever the kind.
        kind: Its meaning.

    Returns:
        One line without control characters.
    """
    if value is None:
        return MISSING
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence):
        return ", ".join(clean(str(v)) for v in value) or MISSING
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _NUMBERS.get(kind, _real)(value)


def clean(text: str) -> str:
    r"""Returns text without control characters, so that a name in a model cannot steer a terminal.

    Each becomes its escape such as `\x1b`; this includes line breaks and the bidirectional overrides.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def drawn(graph: Graph) -> str:
    """Returns what is said of a graph where it cannot be drawn."""
    return f"{len(graph.nodes)} nodes, {len(graph.edges)} edges; the HTML report draws them"


def _real(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if value == 0:
        return "0"
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"


def _count(value: float) -> str:
    return f"{value:,}"


def _size(value: float) -> str:
    return f"{int(value)} B" if value < 1000 else _metric(value, ("kB", "MB", "GB", "TB"))


def _ops(value: float) -> str:
    return f"{int(value)}" if value < 1000 else _metric(value, ("k", "M", "G", "T"))


def _metric(value: float, units: tuple[str, ...]) -> str:
    for unit in units:
        value /= 1000
        if value < 999.5 or unit == units[-1]:
            break
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:,.0f} {unit}"


def _seconds(value: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if value * factor >= 1 or not value:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _decibel(value: float) -> str:
    return f"{value:.1f} dB"


def _cosine(value: float) -> str:
    """Never rounds up to 1: a cosine of 0.9999999 is not one of equal directions."""
    text = f"{value:.6f}"
    return text if value == 1 or text != "1.000000" else "0.999999+"


_NUMBERS: dict[Kind, Callable[[float], str]] = {
    Kind.COUNT: _count,
    Kind.SIZE: _size,
    Kind.OPS: _ops,
    Kind.SHARE: _share,
    Kind.SECONDS: _seconds,
    Kind.DECIBEL: _decibel,
    Kind.COSINE: _cosine,
}
