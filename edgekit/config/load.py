"""Finds and reads the configuration file; what it allows is in `schema`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Diagnostic, EdgekitError, Where, error

_OWN = "edgekit.toml"
_SHARED = "pyproject.toml"
_TABLE = ("tool", "edgekit")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a project.

    Attributes:
        path: The file they come from, `None` when there is none.
        settings: Top-level settings, valid for every command that has the option.
        commands: Settings by command.
        targets: Folders of the project's own target descriptors.
    """

    path: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    commands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    targets: tuple[Path, ...] = ()

    def defaults(self, command: str) -> dict[str, Any]:
        """Returns the defaults of the options of a command."""
        return {**self.settings, **self.commands.get(command, {})}


def load(folder: Path) -> Config:
    """Reads the configuration that holds in a folder.

    Args:
        folder: Where to start looking upwards.

    Raises:
        EdgekitError: EK202 with one diagnostic for each mistake, at its line.
    """
    path = find(folder)
    if path is None:
        return Config()
    text = _read(path)
    prefix = () if path.name == _OWN else _TABLE
    table = _table(_parse(path, text), prefix)
    return _validated(path, text, prefix, table)


def find(folder: Path) -> Path | None:
    """Returns the nearest configuration file: `edgekit.toml` wins over `pyproject.toml` beside it."""
    for place in (folder, *folder.parents):
        own, shared = place / _OWN, place / _SHARED
        if own.is_file():
            return own
        # The search for the word spares the parser on every start in a project without settings.
        if shared.is_file() and "edgekit" in _read(shared) and _has_table(shared):
            return shared
    return None


def _has_table(path: Path) -> bool:
    return _table(_parse(path, _read(path)), _TABLE) is not None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise _invalid(path, f"the file cannot be read: {failure}") from failure


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        reason, _, at = str(failure).partition(" (at line ")
        line = int(at.split(",")[0]) if at[:1].isdigit() else None
        raise _invalid(path, f"not valid TOML: {reason[:1].lower()}{reason[1:]}", line) from failure


def _table(document: Mapping[str, Any], prefix: Sequence[str]) -> Any:
    for key in prefix:
        if not isinstance(document, Mapping) or key not in document:
            return None
        document = document[key]
    return document


def _validated(path: Path, text: str, prefix: tuple[str, ...], table: Any) -> Config:
    from pydantic import ValidationError

    from edgekit.config.schema import PATHS, Settings

    try:
        settings = Settings.model_validate(table)
    except ValidationError as failure:
        problems = [_problem(path, text, prefix, dict(e)) for e in failure.errors(include_url=False)]
        raise EdgekitError(*sorted(problems, key=lambda d: d.where.line or 0)) from failure
    chosen = settings.model_dump(exclude_unset=True)
    commands = {name: chosen.pop(name) for name in Settings.command_names() if name in chosen}
    for options in commands.values():
        options |= {key: str(path.parent / options[key]) for key in PATHS if options.get(key)}
    folders = tuple(path.parent / folder for folder in chosen.pop("targets", None) or ())
    return Config(path, chosen, commands, folders)


def _problem(path: Path, text: str, prefix: tuple[str, ...], problem: Mapping[str, Any]) -> Diagnostic:
    from edgekit.config.schema import known_keys

    keys = tuple(str(part) for part in problem["loc"])
    name = ".".join(keys) or "edgekit"
    where = Where(str(path), line_of(text, (*prefix, *keys)))
    if problem["type"] == "extra_forbidden":
        known = known_keys(keys[:-1])
        near = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.6)
        help = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(f'`{k}`' for k in known)}"
        return Diagnostic("EK202", f"there is no setting `{name}`", where=where, help=help)
    reason = str(problem["msg"]).replace("'", "`")
    message = f"the setting `{name}` is not valid: {reason[:1].lower()}{reason[1:]}"
    return Diagnostic("EK202", message, where=where, notes=(f"it is `{problem['input']!r}`",))


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """Returns the 1-based line of a key in a TOML text, or of the nearest table around it.

    Args:
        text: The document.
        keys: The path to the key, such as `("tool", "edgekit", "convert", "opset")`.
    """
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None  # (how much of the path matches, line)
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith("["):
            table = _dotted(line.strip("[]").split("]")[0])
            found = table
        elif "=" in line and not line.startswith("#"):
            found = (*table, *_dotted(line.split("=", 1)[0]))
        else:
            continue
        if found == tuple(keys[: len(found)]) and (best is None or len(found) > best[0]):
            best = len(found), number
    return best[1] if best else None


def _dotted(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split(".") if part.strip())


def _invalid(path: Path, message: str, line: int | None = None) -> EdgekitError:
    return error("EK202", message, where=Where(str(path), line))
