"""Rules on attributes and on operands that steer an op."""

from __future__ import annotations

import numpy as np

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import all_within
from edgekit.compat.rules.registry import rule


@rule("activation-in")
def activation_in(op: Facts, *, kinds: tuple[str, ...]) -> Finding | None:
    """the fused activation must be one of {kinds}"""
    if op.activation is None:
        return unknown("the fused activation")
    return None if op.activation in kinds else fails(op.activation)


@rule("attr-in")
def attr_in(op: Facts, *, name: str, values: tuple[str, ...], default: str = "") -> Finding | None:
    """{name} must be one of {values}

    Numbers are compared as text and truth values as `true` and `false`. Without `default`, an attribute that
    is not given is not known.
    """
    given = op.attr(name)
    if given is None and not default:
        return unknown(f"`{name}`")
    text = _text(default if given is None else given)
    return None if text in values else fails(f"{name} = {text}")


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | np.ndarray):
        return "x".join(_text(v) for v in value)
    return str(value)


@rule("attr-range")
def attr_range(op: Facts, *, name: str, low: int | None = None, high: int | None = None) -> Finding | None:
    """{name} must be in [{low}, {high}]

    An attribute that is a list is held to the range element by element.
    """
    given = op.attr(name)
    if given is None:
        return unknown(f"`{name}`")
    values = np.asarray(given).reshape(-1).tolist()
    if any((low is not None and v < low) or (high is not None and v > high) for v in values):
        return fails(f"{name} = {_text(given)}")
    return None


@rule("param-known")
def param_known(op: Facts, *, of: str) -> Finding | None:
    """{of} must be known before the model runs"""
    if op.param(of) is not None or op.attr(of) is not None:
        return None
    return fails("it is computed at run time") if of in op.roles else None


@rule("param-range")
def param_range(op: Facts, *, of: str, low: int | None = None, high: int | None = None) -> Finding | None:
    """every element of {of} must be in [{low}, {high}]"""
    return all_within(op.ints(of), low, high, of)


@rule("param-absent")
def param_absent(op: Facts, *, of: str) -> Finding | None:
    """{of} must not be given"""
    return fails("it is given") if of in op.roles or op.attr(of) is not None else None


@rule("pads-only")
def pads_only(op: Facts, *, axes: str) -> Finding | None:
    """only the axes {axes} may be padded"""
    pads, value = op.param("paddings"), op.ifm
    if pads is None or value is None:
        return unknown("the padding")
    letters = op.letters(value)
    wrong = [
        letters[i] for i, pair in enumerate(pads.reshape(-1, 2)) if pair.any() and letters[i] not in axes
    ]
    return fails(f"padding along {', '.join(wrong)}") if wrong else None


@rule("not-both")
def not_both(op: Facts, *, first: str, second: str) -> Finding | None:
    """{first} and {second} must not both be set"""
    return fails("both are set") if op.attr(first) and op.attr(second) else None
