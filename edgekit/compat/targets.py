"""Targets by id or path, with the rules of this package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from edgekit.compat.rules import graph_rules, rules
from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.target import Target, load_target, shelf


def target(reference: str | Path, folders: Sequence[Path] = ()) -> Target:
    """Loads a target.

    Args:
        reference: An id, or the path of a descriptor.
        folders: Folders of the project's own descriptors, searched before ours.

    Returns:
        The target, resolved.

    Raises:
        EdgekitError: EK208 for an unknown id, EK207 with every mistake of the descriptor, EK101.
    """
    if folders or isinstance(reference, Path):
        return load_target(reference, rules(), graph_rules(), shelf(folders))
    return _ours(reference)


@lru_cache(maxsize=512)
def _ours(reference: str) -> Target:
    """Loads one of ours, once: they do not change while we run."""
    return load_target(reference, rules(), graph_rules(), shelf())


def cpus_of(targets: Sequence[Target], folders: Sequence[Path] = ()) -> tuple[Target, ...]:
    """Loads the targets that judge what falls back from others, and what falls back from these.

    Args:
        targets: The others.
        folders: Folders of the project's own descriptors.

    Raises:
        EdgekitError: As `target`.
    """
    found: dict[str, Target] = {}
    pending = [t.cpu for t in targets]
    while pending:
        id_ = pending.pop()
        if id_ is not None and id_ not in found:
            found[id_] = target(id_, folders)
            pending.append(found[id_].cpu)
    return tuple(found.values())


def all_targets(folders: Sequence[Path] = (), *, families: bool = False) -> tuple[Target, ...]:
    """Loads every target, by id.

    Args:
        folders: Folders of the project's own descriptors.
        families: Whether those are given, too, that only exist to be extended.

    Raises:
        EdgekitError: EK207 with every mistake of all descriptors.
    """
    found: list[Target] = []
    problems: list[Diagnostic] = []
    ours = shelf().files()
    for id_, path in shelf(folders).files().items():
        try:
            found.append(_ours(id_) if ours.get(id_) == path else target(id_, folders))
        except EdgekitError as failure:
            problems += failure.diagnostics
    if problems:
        raise EdgekitError(*problems)
    return tuple(t for t in found if families or not t.abstract)
