"""Rules that a probe proposes for a descriptor, with what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.compat.probe import Limit

_SIZES: Mapping[str, str] = {
    "kernel_h": "kernel-height: {{high: {0}}}",
    "kernel_w": "kernel-width: {{high: {0}}}",
    "stride_h": "stride-height: {{high: {0}}}",
    "stride_w": "stride-width: {{high: {0}}}",
    "batch": "size-range: {{of: ifm, axis: N, high: {0}}}",
    "height": "size-range: {{of: ifm, axis: H, high: {0}}}",
    "width": "size-range: {{of: ifm, axis: W, high: {0}}}",
    "channels": "size-range: {{of: ifm, axis: C, high: {0}}}",
}
_LISTS: Mapping[str, str] = {
    "activation": "activation-in: {{kinds: [{0}]}}",
    "dtype": "dtype-in: {{of: ifm, dtypes: [{0}]}}",
    "padding": "padding-is: {{modes: [{0}]}}",
    "weights_dtype": "dtype-in: {{of: weights, dtypes: [{0}]}}",
}
_LONGEST = 120
"""Characters of a tool's reason that are repeated."""
Rule = tuple[str, str]
"""A rule as a descriptor writes it, and the evidence."""


def proposed(limit: Limit) -> Rule | None:
    """Returns the rule that one knob asks for; `None` if nothing was refused or no rule says it."""
    if not limit.refused:
        return None
    if limit.highest is not None and limit.knob in _SIZES:
        return _SIZES[limit.knob].format(limit.highest), evidence(limit)
    if not limit.sized and limit.knob in _LISTS:
        return _LISTS[limit.knob].format(", ".join(map(str, dict.fromkeys(limit.taken)))), evidence(limit)
    return None


def evidence(limit: Limit) -> str:
    """Says what was taken and what was not, and why."""
    first = next((a for a in limit.refused if limit.highest is None or a.value > limit.highest), None)
    if first is None:
        return f"all of {_few(limit.taken)} are taken"
    taken = f"{limit.highest} is taken" if limit.highest is not None else f"{_few(limit.taken)} are taken"
    return (
        f"{taken}, {first.value} is not: {first.reason}" if first.reason else f"{taken}, {first.value} is not"
    )


def _few(values: Sequence[object]) -> str:
    shown = ", ".join(map(str, values[:6]))
    return f"{shown}, …" if len(values) > 6 else shown


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
