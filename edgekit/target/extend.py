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
    merge = _Merge(family, own)
    return Tree(merge.value(base, own.value, ()), merge.places)


def settled(tree: Tree) -> Tree:
    """Moves `more_rules` to the end of `rules` in a descriptor that extends nothing."""
    return extended(Tree({}, {}), tree)


class _Merge:
    def __init__(self, family: Tree, own: Tree) -> None:
        self.family = family
        self.own = own
        self.places: dict[PathIn, Where] = {}

    def value(self, base: Any, over: Any, path: PathIn) -> Any:
        pattern = ("ops", "*") if len(path) == 2 and path[0] == "ops" else path
        if not (isinstance(base, Mapping) and isinstance(over, Mapping) and pattern in MERGED):
            self.keep(self.own, over, path, path)
            return over
        self.places[path] = self.own.where(path)
        merged: dict[str, Any] = {}
        for key, value in base.items():
            if key not in over:
                self.keep(self.family, value, (*path, key), (*path, key))
                merged[key] = value
            elif over[key] is not None:
                merged[key] = self.value(value, over[key], (*path, key))
        for key, value in over.items():
            if key not in base and key != MORE:
                merged[key] = self.value({}, value, (*path, key)) if isinstance(value, Mapping) else value
                self.keep(self.own, merged[key], (*path, key), (*path, key))
        if MORE in over:
            self.append(merged, over[MORE], path)
        return merged

    def append(self, merged: dict[str, Any], more: Any, path: PathIn) -> None:
        """Adds rules; what is not a list stays under its key and is reported as such."""
        rules = merged.get("rules") or []
        if not isinstance(more, list) or not isinstance(rules, list):
            merged[MORE] = more
            self.keep(self.own, more, (*path, MORE), (*path, MORE))
            return
        for i, rule in enumerate(more):
            self.keep(self.own, rule, (*path, MORE, i), (*path, "rules", len(rules) + i))
        merged["rules"] = [*rules, *more]

    def keep(self, tree: Tree, value: Any, at: PathIn, to: PathIn) -> None:
        """Takes over where a value and all in it is written."""
        self.places[to] = tree.where(at)
        items = (
            value.items()
            if isinstance(value, Mapping)
            else enumerate(value)
            if isinstance(value, list)
            else ()
        )
        for key, inner in items:
            self.keep(tree, inner, (*at, key), (*to, key))
