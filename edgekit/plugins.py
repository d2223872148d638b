"""Plugins: one entry-point group. Loading the entry point is the registration.

A distribution declares, say,

    [project.entry-points."edgekit.plugins"]
    acme = "acme_edgekit"

and the decorators in `acme_edgekit` (`@lowers`, `@imports` and their like) enter its parts into the tables.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from edgekit.diagnostics import Diagnostic, EdgekitError, error

GROUP = "edgekit.plugins"
"""The entry-point group."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that is installed, loaded or not.

    Attributes:
        name: The name of its entry point.
        value: What the entry point names: `module` or `module:attribute`.
        distribution: The distribution that brings it, and its version.
    """

    name: str
    value: str
    distribution: str


def installed() -> tuple[Plugin, ...]:
    """Returns all plugins by name, without importing any."""
    found = [_described(point) for point in metadata.entry_points(group=GROUP)]
    return tuple(sorted(found, key=lambda p: (p.name, p.distribution)))


def clashes() -> tuple[Diagnostic, ...]:
    """Returns one EK201 for each name that two plugins claim."""
    return _clashes(installed())


def _clashes(plugins: tuple[Plugin, ...]) -> tuple[Diagnostic, ...]:
    counts = Counter(p.name for p in plugins)
    return tuple(
        _clash(name, [p for p in plugins if p.name == name]) for name, n in sorted(counts.items()) if n > 1
    )


@cache
def load_all() -> tuple[Plugin, ...]:
    """Loads every plugin, once per process, as Python does with modules.

    Returns:
        All of them.

    Raises:
        EdgekitError: EK201 if two share a name, EK203 if one cannot be loaded: what it adds would be
            missing without a word.
    """
    plugins = installed()  # one scan: it reads a file of every distribution
    problems = (*_clashes(plugins), *(d for plugin in plugins for d in failures(plugin)))
    if problems:
        raise EdgekitError(*problems)
    return plugins


def failures(plugin: Plugin) -> tuple[Diagnostic, ...]:
    """Loads one plugin and returns what is wrong with it: nothing, or EK201 or EK203.

    Args:
        plugin: One of `installed()`.
    """
    try:
        _entry_point(plugin).load()
    except EdgekitError as failure:
        return failure.diagnostics
    except (Exception, SystemExit) as failure:  # noqa: BLE001 - foreign code may do anything
        return _not_loaded(plugin, failure).diagnostics
    return ()


def _described(point: metadata.EntryPoint) -> Plugin:
    dist = point.dist
    return Plugin(point.name, point.value, f"{dist.name} {dist.version}" if dist else "unknown")


def _entry_point(plugin: Plugin) -> metadata.EntryPoint:
    return metadata.EntryPoint(plugin.name, plugin.value, GROUP)


def _clash(name: str, plugins: list[Plugin]) -> Diagnostic:
    return error(
        "EK201",
        f"{len(plugins)} plugins register the name `{name}`",
        notes=[f"`{p.value}` of {p.distribution}" for p in plugins],
        help="uninstall all but one of them",
        data={"name": name},
    ).diagnostics[0]


def _not_loaded(plugin: Plugin, failure: BaseException) -> EdgekitError:
    reason = (str(failure).strip().splitlines() or [""])[0]
    return error(
        "EK203",
        f"the plugin `{plugin.name}` cannot be loaded: {type(failure).__name__}: {reason}",
        notes=[f"`{plugin.value}` of {plugin.distribution}"],
        help=f"repair or uninstall {plugin.distribution.split()[0]}; `edgekit doctor` shows every plugin",
        data={"name": plugin.name},
    )
