"""Writes an artifact's directory, all or nothing, and reads it back with every hash checked."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from edgekit.artifact import manifest
from edgekit.artifact.atomic import replacing_directory, sync_directory, write_synced
from edgekit.artifact.types import Artifact, ArtifactFile, hash_file
from edgekit.diagnostics import EdgekitError, Where, error

_MANIFEST_LIMIT = 256 * 2**20
"""Bytes; no model has so many tensors, and a hostile file must not fill the memory."""


def save(artifact: Artifact, directory: Path) -> Path:
    """Writes an artifact; see `Artifact.save`."""
    for file in artifact.files:
        if not manifest.is_safe_path(file.name):
            raise ValueError(f"`{file.name}` cannot be the name of an artifact's file")
    text = manifest.to_json(artifact)
    try:
        target = directory.resolve()
        foreign = _foreign_entries(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing_directory(target) as partial:
            for file in artifact.files:
                (partial / file.name).parent.mkdir(parents=True, exist_ok=True)
                _write(file, partial / file.name)
            _sync_folders(artifact, partial)
            for entry in foreign:
                _carry_over(entry, partial / entry.name)
            write_synced(partial / manifest.MANIFEST_NAME, text)
    except OSError as problem:
        raise _unwritable(directory, problem) from problem
    return directory


def open_artifact(path: Path) -> Artifact:
    """Reads an artifact; see `Artifact.open`."""
    directory = path.parent if path.name == manifest.MANIFEST_NAME else path
    try:
        artifact = _read_manifest(directory).artifact(directory)
        for file in artifact.files:
            _check_folders(file, directory)
            _check(file, directory / file.name)
    except OSError as problem:
        raise _unreadable(path, _os_message(problem)) from problem
    return artifact


def _foreign_entries(target: Path) -> list[Path]:
    """Returns what the user keeps in an artifact's directory that is about to be replaced."""
    if not target.exists():
        return []
    if not target.is_dir():
        raise _taken(target, "is not a directory")
    entries = list(target.iterdir())
    if not entries:
        return []
    try:
        old = _read_manifest(target)
    except EdgekitError as problem:
        raise _taken(target, "exists and is not an edgekit artifact") from problem
    ours = {file.name.split("/")[0] for file in old.files} | {manifest.MANIFEST_NAME}
    return [entry for entry in entries if entry.name not in ours]


def _carry_over(entry: Path, destination: Path) -> None:
    """Takes a file or directory along without doubling its bytes where links are possible."""
    if destination.exists():
        raise FileExistsError(17, "the name is taken by a file of the new artifact", str(entry))
    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, destination, symlinks=True, copy_function=_link_or_copy)
    elif entry.is_symlink():
        destination.symlink_to(entry.readlink())
    else:
        _link_or_copy(str(entry), str(destination))


def _link_or_copy(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


def _write(file: ArtifactFile, destination: Path) -> None:
    if isinstance(file.payload, bytes):
        write_synced(destination, file.payload)
        return
    shutil.copyfile(file.payload, destination)
    if destination.stat().st_size != file.size or hash_file(destination) != file.sha256:
        raise error(
            "EK506",
            f"`{file.payload}` changed while it was being copied",
            where=Where(file=str(file.payload)),
            help="convert again",
        )
    with destination.open("rb") as copy:
        os.fsync(copy.fileno())


def _read_manifest(directory: Path) -> manifest.Manifest:
    path = directory / manifest.MANIFEST_NAME
    if not directory.exists():
        raise _unreadable(directory, "it does not exist")
    if not directory.is_dir():
        raise _unreadable(directory, "it is not a directory", help="give the directory of an artifact")
    if not path.exists():
        raise _unreadable(directory, f"it has no `{manifest.MANIFEST_NAME}`")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise _unreadable(path, "it is not a regular file")
    if path.stat().st_size > _MANIFEST_LIMIT:
        raise _unreadable(path, "it is larger than any manifest")
    try:
        return manifest.from_json(path.read_bytes())
    except RecursionError as problem:
        raise _unreadable(path, "it is nested too deeply") from problem
    except ValueError as problem:
        raise _unreadable(path, "it is not a valid manifest", *_reasons(problem)) from problem


def _reasons(problem: ValueError) -> list[str]:
    """Returns what is wrong with a manifest, one sentence per place."""
    from pydantic import ValidationError

    if not isinstance(problem, ValidationError):
        return [str(problem)]
    return [f"`{'.'.join(map(str, e['loc']))}`: {e['msg'].lower()}" for e in problem.errors()[:8]]


def _sync_folders(artifact: Artifact, root: Path) -> None:
    """Waits until the folders inside the artifact are on the disk."""
    folders = {parent for file in artifact.files for parent in Path(file.name).parents} - {Path()}
    for folder in sorted(folders, reverse=True):
        sync_directory(root / folder)


def _check_folders(file: ArtifactFile, root: Path) -> None:
    """Holds the folders on the way to a file to be folders, not links that may lead anywhere."""
    for parent in reversed(Path(file.name).parents[:-1]):
        folder = root / parent
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise _unreadable(folder, "it is not a folder")


def _check(file: ArtifactFile, path: Path) -> None:
    """Holds a file to its size and hash. Links are refused: they may lead anywhere."""
    try:
        status = path.lstat()
    except FileNotFoundError as problem:
        raise _unreadable(path, "it is missing") from problem
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable(path, "it is not a regular file")
    if status.st_size != file.size:
        raise _unreadable(path, f"it has {status.st_size} bytes, the manifest says {file.size}")
    if hash_file(path) != file.sha256:
        raise _unreadable(path, "its content is not what the manifest's hash says")


def _unreadable(path: Path, why: str, *notes: str, help: str | None = None) -> EdgekitError:
    return error(
        "EK507",
        f"the artifact `{path}` cannot be read: {why}",
        where=Where(file=str(path)),
        notes=notes,
        help=help or "convert the model again",
    )


def _taken(path: Path, why: str) -> EdgekitError:
    return error(
        "EK506",
        f"the output `{path}` {why}",
        where=Where(file=str(path)),
        help="choose another output, or remove it first",
    )


def _unwritable(path: Path, problem: OSError) -> EdgekitError:
    return error(
        "EK506",
        f"the output `{path}` cannot be written: {_os_message(problem)}",
        where=Where(file=str(path)),
    )


def _os_message(problem: OSError) -> str:
    return (problem.strerror or str(problem)).lower()
