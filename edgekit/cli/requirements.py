"""What edgekit asks of its environment, read from its own package metadata: declared once, in pyproject."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)\s*(?:\[[^\]]*\])?\s*\(?(?P<range>[^;)]*)\)?\s*(?:;(?P<marker>.*))?"
)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_LOWEST = re.compile(r">=\s*([\w.]+)")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that edgekit needs, and what there is of it.

    Attributes:
        package: Its name.
        extra: The extra that brings it; empty for the base install.
        lowest: The lowest version accepted, empty for any.
        installed: The version installed, `None` if it is not.
    """

    package: str
    extra: str
    lowest: str
    installed: str | None

    @property
    def status(self) -> str:
        """`ok`, `outdated` or `missing`."""
        if self.installed is None:
            return "missing"
        return "outdated" if _numbers(self.installed) < _numbers(self.lowest) else "ok"

    @property
    def install(self) -> str:
        """The line that installs it."""
        return f'pip install "edgekit[{self.extra}]"' if self.extra else f'pip install "{self.range}"'

    @property
    def range(self) -> str:
        """Name and lowest version, as pip writes them."""
        return f"{self.package}>={self.lowest}" if self.lowest else self.package


def requirements() -> tuple[Requirement, ...]:
    """Returns what the installed edgekit declares, the base install first.

    Extras for developers and those that only bundle others are left out.

    Raises:
        importlib.metadata.PackageNotFoundError: If edgekit runs without being installed.
    """
    found = list(_parsed(metadata.requires("edgekit") or []))
    return tuple(sorted(found, key=lambda r: r.extra != ""))


def _parsed(lines: list[str]) -> Iterator[Requirement]:
    for line in lines:
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is None or match["name"] == "edgekit":
            continue
        extra = _EXTRA.search(match["marker"] or "")
        name = extra[1] if extra else ""
        if name in ("all", "dev"):
            continue
        lowest = _LOWEST.search(match["range"])
        yield Requirement(match["name"], name, lowest[1] if lowest else "", version(match["name"]))


def version(package: str) -> str | None:
    """Returns the installed version of a package without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """Returns the release part of a version; 1.10 is above 1.9."""
    release = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(n) for n in release[0].split(".")) if release else ()
