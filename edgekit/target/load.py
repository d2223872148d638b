"""Finds and loads descriptors: ours by id, a project's own by path or from its folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.target.catalogue import Catalogue, near
from edgekit.target.check import checked
from edgekit.target.extend import extended, settled
from edgekit.target.groups import ungrouped
from edgekit.target.identity import Same
from edgekit.target.schema import Target
from edgekit.target.tree import Tree, read_tree, refused

SUFFIXES = (".yaml", ".yml")
MAX_CHAIN = 8
_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folders in which ids are looked up, the project's own first.

    Attributes:
        folders: Each is searched with everything below it.
    """

    folders: tuple[Path, ...]

    def files(self) -> dict[str, Path]:
        """Returns the file of each id: an id is the name of its file.

        Raises:
            EdgekitError: EK208 if two files of one folder have the same id.
        """
        found: dict[str, Path] = {}
        for folder in reversed(self.folders):
            found |= _our_files() if folder == builtin_folder() else _files(folder)
        return dict(sorted(found.items()))


@cache
def _our_files() -> dict[str, Path]:
    return _files(builtin_folder())


def _files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in SUFFIXES or not path.is_file():
            continue
        if path.stem in found:
            raise error(
                "EK208",
                f"two descriptors have the id `{path.stem}`",
                notes=[str(found[path.stem]), str(path)],
            )
        found[path.stem] = path
    return found


def builtin_folder() -> Path:
    """Returns the folder of our descriptors: in the wheel inside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "targets"
    return inside if inside.is_dir() else package.parent / "targets"


def shelf(folders: Sequence[Path] = ()) -> Shelf:
    """Returns the folders of a project, and ours.

    Raises:
        EdgekitError: EK101 if one of them is no folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise error("EK101", f"`{folder}` is not a folder of descriptors")
    return Shelf((*folders, builtin_folder()))


def load_target(reference: str | Path, rules: Catalogue, graph_rules: Catalogue, on: Shelf) -> Target:
    """Loads a target and everything that it extends.

    Args:
        reference: An id, or the path of a descriptor.
        rules: The rules that op tables may name.
        graph_rules: The rules that `graph` may name.
        on: Where ids are found.

    Returns:
        The target, resolved.

    Raises:
        EdgekitError: EK208 for an unknown id, EK207 with every mistake of the descriptor, EK101.
    """
    path = locate(reference, on)
    tree = resolved(path, on)
    target, problems = checked(tree, rules, graph_rules)
    if target is not None and target.id != path.stem:
        message = f"the id `{target.id}` is not the name of its file, `{path.stem}`"
        problems += refused(str(path), tree.where(("id",)).line, message).diagnostics
    if problems or target is None:
        raise EdgekitError(*sorted(problems, key=lambda d: (d.where.file or "", d.where.line or 0)))
    return target


def locate(reference: str | Path, on: Shelf) -> Path:
    """Returns the file that a reference means.

    Raises:
        EdgekitError: EK208 for an unknown id.
    """
    text = str(reference)
    if isinstance(reference, Path) or "/" in text or "\\" in text or text.endswith(SUFFIXES):
        return Path(reference)
    files = on.files()
    if text not in files:
        help = near(text, files) or "`edgekit target list` lists them"
        raise error("EK208", f"there is no target `{text}`", help=help)
    return files[text]


def resolved(path: Path, on: Shelf) -> Tree:
    """Reads a descriptor on top of its families.

    Raises:
        EdgekitError: EK207 for mistakes of form, cycles, or an `extends` that leads out of the folder.
    """
    return _on_family(path, on, (path,))


def _on_family(path: Path, on: Shelf, chain: tuple[Path, ...]) -> Tree:
    own = _read(path)
    parent = _parent(own, path, on)
    if parent is None:
        return own
    file, line = str(path), own.where(("extends",)).line
    if parent.resolve() in {p.resolve() for p in chain}:
        circle = " > ".join(p.stem for p in (*chain, parent))
        raise refused(file, line, f"`extends` goes round in a circle: {circle}")
    if len(chain) == MAX_CHAIN:
        raise refused(file, line, f"more than {MAX_CHAIN} descriptors extend each other")
    return _extended(Same(_on_family(parent, on, (*chain, parent))), Same(own))


@lru_cache(maxsize=256)
def _extended(family: Same, own: Same) -> Tree:
    """Puts a file on top of a family once, so that all that extends it shares the same entries."""
    return extended(family.value, own.value)


def _read(path: Path) -> Tree:
    """Reads a file; families are read once for all that extend them."""
    try:
        state = path.stat()
    except OSError:
        return read_tree(path)  # which says what is wrong
    return _read_once(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _read_once(path: Path, changed: int, size: int) -> Tree:
    tree = ungrouped(read_tree(path))
    return settled(tree) if isinstance(tree.value, dict) and tree.value.get("extends") is None else tree


def _parent(tree: Tree, path: Path, on: Shelf) -> Path | None:
    """Returns the file that a descriptor extends.

    An id is looked up; a path must lead to a file in the descriptor's own folder or below.
    """
    if not isinstance(tree.value, dict):
        raise refused(str(path), None, "a descriptor is a mapping of keys to values")
    named = tree.value.get("extends")
    if named is None:
        return None
    where = tree.where(("extends",))
    if not isinstance(named, str):
        raise refused(
            str(path), where.line, "`extends` is the id of a target or the path of a file beside it"
        )
    if _ID.fullmatch(named) and not named.endswith(SUFFIXES):
        files = on.files()
        if named not in files:
            raise refused(
                str(path), where.line, f"there is no target `{named}` to extend", help=near(named, files)
            )
        return files[named]
    return _beside(named, path, where)


def _beside(named: str, path: Path, where: Where) -> Path:
    folder = path.parent.resolve()
    wanted = Path(named)
    inside = not wanted.is_absolute() and ".." not in wanted.parts and "\\" not in named and "\0" not in named
    if not inside or wanted.suffix not in SUFFIXES or not (folder / wanted).resolve().is_relative_to(folder):
        help = "name a target by its id, or a .yaml file in the same folder or below it"
        raise refused(
            str(path),
            where.line,
            f"`extends: {named[:80]}` leads out of the folder of the descriptor",
            help=help,
        )
    if not (folder / wanted).is_file():
        raise refused(str(path), where.line, f"there is no file `{named[:80]}` to extend")
    return path.parent / wanted
