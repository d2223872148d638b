"""`extends`: a descriptor read on top of its family, keeping where every value is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.diagnostics import Where
from edgekit.target.tree import PathIn, Tree

OWN = ("id", "abstract", "extends", "title", "note")
"""Keys at the top that say something of one file and are not inherited."""
MERGED = (
    (), ("sources",), ("constants",), ("memory",), ("compute",), ("compute", "macs_per_cycle"), ("numerics",),
    ("tolerances",), ("toolchain",), ("ops",), ("ops", "*"),
)  # fmt: skip
"""Mappings whose keys are added to the family's; every other value replaces the family's."""
MORE = "more_rules"
"""Beside `rules`: added to the family's rules instead of replacing them."""


def extended(family: Tree, own: Tree) -> Tree:
    """Puts a descriptor on top of its family.

    Args:
        family: The family, itself resolved.
        own: What extends it. A key with the value `null` removes the family's.

    Returns:
        The union.
    """
    base = {key: value for key, value in family.value.items() if key not in OWN}
    merge = _Merge(own)
    value = merge.value(base, own.value, ())
    replaced = frozenset({*merge.replaced, *((key,) for key in OWN)})
    return Tree(value, merge.places, family, replaced, (*family.problems, *own.problems))


def settled(tree: Tree) -> Tree:
    """Moves `more_rules` to the end of `rules` in a descriptor that extends nothing."""
    return extended(Tree({}), tree)


class _Merge:
    """Puts values on top of a family's, and notes where what it puts there is written."""

    def __init__(self, own: Tree) -> None:
        self.own = own
        self.places: dict[PathIn, Where] = {}
        self.replaced: set[PathIn] = set()

    def value(self, base: Any, over: Any, path: PathIn) -> Any:
        if not base and len(path) == 2 and not (isinstance(over, Mapping) and MORE in over):
            self.put(over, path, path)
            return over  # the same object for all ops that share it
        pattern = ("ops", "*") if len(path) == 2 and path[0] == "ops" else path
        if not (isinstance(base, Mapping) and isinstance(over, Mapping) and pattern in MERGED):
            self.put(over, path, path)
            return over
        self.places[path] = self.own.where(path)
        merged = {key: value for key, value in base.items() if key not in over or over[key] is not None}
        for key, value in over.items():
            if key == MORE or (value is None and key in base):
                continue
            inner = {} if isinstance(value, Mapping) and key not in base else base.get(key)
            merged[key] = self.value(inner, value, (*path, key))
        if MORE in over:
            self.append(merged, over[MORE], path)
        return merged

    def append(self, merged: dict[str, Any], more: Any, path: PathIn) -> None:
        """Adds rules; what is not a list stays under its key and is reported as such."""
        rules = merged.get("rules") or []
        if not isinstance(more, list) or not isinstance(rules, list):
            merged[MORE] = more
            self.put(more, (*path, MORE), (*path, MORE))
            return
        for i, rule in enumerate(more):
            self.put(rule, (*path, MORE, i), (*path, "rules", len(rules) + i))
        merged["rules"] = [*rules, *more]

    def put(self, value: Any, at: PathIn, to: PathIn) -> None:
        """Takes over where a value and all in it is written; nothing of the family is left there."""
        self.replaced.add(to)
        self.note(value, at, to)

    def note(self, value: Any, at: PathIn, to: PathIn) -> None:
        self.places[to] = self.own.where(at)
        if isinstance(value, Mapping):
            for key, inner in value.items():
                self.note(inner, (*at, key), (*to, key))
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                self.note(inner, (*at, i), (*to, i))
