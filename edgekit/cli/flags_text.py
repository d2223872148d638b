"""Reads the text of flags that hold more than one value; `click.UsageError` says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

_SIZE = r"[1-9][0-9]*"
_SHAPE = re.compile(rf"{_SIZE}(\.\.{_SIZE})?(x{_SIZE}(\.\.{_SIZE})?)*")


def image(text: str) -> dict[str, Any]:
    """Reads `NAME,scale=1:1:1,bias=0,colour=RGB`."""
    name, fields = _fields("--image-input", text)
    return {
        "name": name,
        **{k: v if k == "colour" else _numbers("--image-input", v) for k, v in fields.items()},
    }


def classifier(text: str) -> dict[str, Any]:
    """Reads `OUTPUT,label=NAME`."""
    name, fields = _fields("--classifier", text)
    return {"output": name, **fields}


def pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Reads several `A=B`, each A once."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise click.UsageError(f"`{flag}`: `{text}` is not NAME=VALUE")
        if name in found:
            raise click.UsageError(f"`{flag}`: `{name}` is given twice")
        found[name] = value
    return found


def flexible(texts: Sequence[str]) -> dict[str, Any]:
    """Reads several `NAME=1x3x64x64,1x3x96x96` or `NAME=1..4x3x64..512`.

    Returns:
        The options `enumerated` and `ranges`, as far as they are used.
    """
    listed: dict[str, Any] = {}
    ranges: dict[str, Any] = {}
    for name, text in pairs("--flexible-shape", texts).items():
        shapes = text.split(",")
        if not all(_SHAPE.fullmatch(shape) for shape in shapes):
            raise click.UsageError(f"`--flexible-shape`: `{text}` is no shape like 1x3x64..512x64..512")
        if ".." not in text:
            listed[name] = [[int(size) for size in shape.split("x")] for shape in shapes]
        elif len(shapes) == 1:
            ranges[name] = {str(axis): _span(size) for axis, size in enumerate(text.split("x"))}
        else:
            raise click.UsageError(f"`--flexible-shape`: `{text}` lists shapes, which cannot have ranges")
    return {k: v for k, v in (("enumerated", listed), ("ranges", ranges)) if v}


def compression(text: str) -> dict[str, Any]:
    """Reads `KIND`, `int8:BLOCK`, `palettize:BITS:GROUP`, `prune:FRACTION`."""
    kind, *amounts = text.split(":")
    names = {"int8": ("block",), "int4": ("block",), "palettize": ("bits", "block"), "prune": ("sparsity",)}
    known = names.get(kind, ())
    if len(amounts) > len(known):
        raise click.UsageError(f"`--compress-weights`: `{kind}` takes no such number")
    found: dict[str, Any] = {"kind": kind}
    for name, amount in zip(known, amounts, strict=False):
        number = _numbers("--compress-weights", amount)
        found[name] = number if name == "sparsity" or number != int(number) else int(number)  # type: ignore[arg-type]
    return found


def _span(text: str) -> list[int]:
    low, _, high = text.partition("..")
    return [int(low), int(high or low)]


def _fields(flag: str, text: str) -> tuple[str, dict[str, str]]:
    name, *fields = text.split(",")
    found: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise click.UsageError(f"`{flag}`: `{field}` is not KEY=VALUE")
        found[key] = value
    return name, found


def _numbers(flag: str, text: str) -> float | list[float]:
    try:
        numbers = [float(part) for part in text.split(":")]
    except ValueError:
        raise click.UsageError(f"`{flag}`: `{text}` is not a number or numbers with `:` between") from None
    return numbers[0] if len(numbers) == 1 else numbers
