"""Reads YAML into plain values that know their lines, and refuses what a descriptor never needs.

A descriptor may come from a repository that was just cloned. So the text is bounded before it is parsed, the
parser's events are read one by one, and anchors, aliases, tags and further documents end the reading where
they appear: nothing can grow beyond the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Diagnostic, EdgekitError, Where, error

MAX_BYTES = 1 << 20
MAX_KEY = 1000
MAX_DEPTH = 40
MAX_DIGITS = 30

PathIn = tuple[str | int, ...]
"""Keys and positions from the root of a document to a value in it."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A document: its values, and where each one is written.

    Attributes:
        value: Mappings, lists and scalars.
        places: File and 1-based line of the values and keys that it writes itself, by path.
        family: What it was put on top of; says where the other values are written.
        replaced: Paths at which nothing of the family is left.
        problems: Mistakes that leave the document readable, such as a key that is given twice.
    """

    value: Any
    places: Mapping[PathIn, Where] = field(default_factory=dict)
    family: Tree | None = None
    replaced: frozenset[PathIn] = frozenset()
    problems: tuple[Diagnostic, ...] = ()

    def where(self, path: PathIn) -> Where:
        """Returns where a value is written, or the nearest value around it."""
        while path and self._exact(path) is None:
            path = path[:-1]
        return self._exact(path) or Where()

    def _exact(self, path: PathIn) -> Where | None:
        found = self.places.get(path)
        if found is not None or self.family is None:
            return found
        gone = any(path[:n] in self.replaced for n in range(1, len(path) + 1))
        return None if gone else self.family._exact(path)


def read_tree(path: Path) -> Tree:
    """Reads a YAML file.

    Raises:
        EdgekitError: EK101 if it cannot be read, EK207 for what cannot be parsed or is not allowed.
    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK101", f"`{path.name}` cannot be read: {reason}", where=Where(file)) from failure
    if len(data) > MAX_BYTES:
        raise refused(file, None, f"the file is larger than {MAX_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as failure:
        raise refused(file, None, "the file is not UTF-8 text") from failure
    return parse_tree(text, file)


def parse_tree(text: str, file: str) -> Tree:
    """Reads a YAML text.

    Args:
        text: The document.
        file: The name for messages.

    Raises:
        EdgekitError: EK207.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    reader = _Reader(file)
    try:
        value = reader.document(iter(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as failure:
        mark = failure.problem_mark or failure.context_mark
        reason = failure.problem or failure.context or "it cannot be parsed"
        raise refused(file, None if mark is None else mark.line + 1, f"not valid YAML: {reason}") from failure
    except (YAMLError, ValueError, RecursionError) as failure:
        reason = str(failure).partition("\n")[0]
        raise refused(file, None, f"not valid YAML: {reason}") from failure
    return Tree(value, reader.places, problems=tuple(reader.problems))


def refused(file: str, line: int | None, reason: str, *, help: str | None = None) -> EdgekitError:
    """Builds the error that ends the reading of a descriptor."""
    return error("EK207", reason, where=Where(file, line), help=help)


class _Reader:
    """Builds values from the parser's events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[PathIn, Where] = {}
        self.problems: list[Diagnostic] = []

    def document(self, events: Iterator[Any]) -> Any:
        value, seen = None, False
        for event in events:
            kind = type(event).__name__
            if kind in ("StreamStartEvent", "DocumentEndEvent", "StreamEndEvent"):
                continue
            if kind == "DocumentStartEvent":
                if seen:
                    raise refused(
                        self.file, _line(event), "a descriptor is one document; a second one begins here"
                    )
                seen = True
                continue
            value = self.value(event, events, ())
        return value

    def value(self, event: Any, events: Iterator[Any], path: PathIn) -> Any:
        self.plain(event)
        if len(path) > MAX_DEPTH:
            raise refused(self.file, _line(event), f"values are nested deeper than {MAX_DEPTH} levels")
        self.places.setdefault(path, Where(self.file, _line(event)))
        kind = type(event).__name__
        if kind == "MappingStartEvent":
            return self.mapping(events, path)
        if kind == "SequenceStartEvent":
            return self.sequence(events, path)
        return scalar(event.value) if event.style is None else event.value

    def plain(self, event: Any) -> None:
        """Ends the reading at an alias, an anchor or a tag."""
        if type(event).__name__ == "AliasEvent" or getattr(event, "anchor", None) is not None:
            help = "write the value out, or put it into a family file and `extends` that"
            raise refused(
                self.file, _line(event), "anchors and aliases are not allowed in a descriptor", help=help
            )
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) not in ("None", "!"):
            raise refused(
                self.file, _line(event), f"the tag `{str(tag)[:80]}` is not allowed in a descriptor"
            )

    def mapping(self, events: Iterator[Any], path: PathIn) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = self.key(event)
            inner = (*path, key)
            if key in found:
                first = self.places[inner].line
                self.problem(event, f"the key `{key}` is given twice, first in line {first}")
            else:
                self.places[inner] = Where(self.file, _line(event))
            value = self.value(next(events), events, inner)
            found.setdefault(key, value)
        return found

    def key(self, event: Any) -> str:
        self.plain(event)
        if type(event).__name__ != "ScalarEvent":
            raise refused(self.file, _line(event), "a key must be plain text")
        if len(event.value) > MAX_KEY:
            raise refused(self.file, _line(event), f"a key is longer than {MAX_KEY} characters")
        return str(event.value)

    def sequence(self, events: Iterator[Any], path: PathIn) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            found.append(self.value(event, events, (*path, len(found))))
        return found

    def problem(self, event: Any, message: str) -> None:
        self.problems.append(Diagnostic("EK207", message, where=Where(self.file, _line(event))))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")


def scalar(text: str) -> Any:
    """Returns the value of an unquoted scalar: YAML 1.2 without octal and hexadecimal numbers."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
