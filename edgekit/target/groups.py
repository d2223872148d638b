"""Op tables may name several ops in one key: `RELU, RELU6, TANH: {dtypes: [int8]}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.diagnostics import Diagnostic, Where
from edgekit.target.tree import PathIn, Tree


def ungrouped(tree: Tree) -> Tree:
    """Returns the tree with one key per op; an op that is named twice is among its problems."""
    ops = tree.value.get("ops") if isinstance(tree.value, Mapping) else None
    if not isinstance(ops, Mapping) or not any("," in key for key in ops):
        return tree
    names: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for key in ops:
        for name in filter(None, (part.strip() for part in key.split(","))):
            if name in names:
                first = tree.where(("ops", names[name])).line
                message = f"the op `{name}` is named twice, first in line {first}"
                problems.append(Diagnostic("EK207", message, where=tree.where(("ops", key))))
            names.setdefault(name, key)
    value = {**tree.value, "ops": {name: ops[key] for name, key in names.items()}}
    return Tree(value, _moved(tree.places, names), problems=(*tree.problems, *problems))


def _moved(places: Mapping[PathIn, Where], names: Mapping[str, str]) -> dict[PathIn, Where]:
    members: dict[str, list[str]] = {}
    for name, key in names.items():
        members.setdefault(key, []).append(name)
    found: dict[PathIn, Where] = {}
    for path, where in places.items():
        group: list[Any] = members.get(str(path[1]), []) if len(path) > 1 and path[0] == "ops" else []
        for name in group or [None]:
            found[path if name is None else ("ops", name, *path[2:])] = where
    return found
