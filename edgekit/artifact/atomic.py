"""All-or-nothing writes: a killed process leaves the old content or the new, never a mixture."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_file(path: Path, data: bytes) -> None:
    """Writes a file, all or nothing.

    Args:
        path: Made or replaced; its parent directory must exist.
        data: The contents.

    Raises:
        OSError: If it cannot be written; the old file is then untouched.
    """
    partial = _partial(path)
    try:
        write_synced(partial, data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Writes a new file and waits until it is on the disk.

    Raises:
        OSError: If it cannot be written.
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing_directory(target: Path) -> Iterator[Path]:
    """Gives an empty directory that takes the place of `target` when the block ends well.

    Args:
        target: Absent, or a directory whose content is dropped as a whole.

    Yields:
        The directory to fill, on the same file system.

    Raises:
        OSError: If a directory cannot be made, written or moved; `target` is then untouched.
    """
    _remove_abandoned(target)
    partial = _partial(target)
    partial.mkdir()
    try:
        yield partial
        sync_directory(partial)
        if target.exists():
            _exchange(partial, target)
        else:
            partial.rename(target)
        sync_directory(target.parent)
    finally:
        # After an exchange this is the old directory, after a failure the unfinished one.
        shutil.rmtree(partial, ignore_errors=True)


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")


def _remove_abandoned(target: Path) -> None:
    """Removes what earlier processes left beside `target` when they were killed."""
    pattern = re.compile(re.escape(f".{target.name}.partial-") + r"(\d+)-[0-9a-f]{8}")
    for sibling in target.parent.iterdir():
        match = pattern.fullmatch(sibling.name)
        if match and not _is_running(int(match[1])):
            shutil.rmtree(sibling, ignore_errors=True)


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        return True  # signal 0 would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _exchange(new: Path, old: Path) -> None:
    """Swaps two directories: in one step where the system can, else in two."""
    if _exchange_in_one_step(new, old):
        return
    aside = _partial(old)
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    aside.rename(new)


def _exchange_in_one_step(new: Path, old: Path) -> bool:
    """Calls Linux's `renameat2` with `RENAME_EXCHANGE`; tells whether the system has it."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    if libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):  # the kernel or the file system does not know it
        return False
    raise OSError(code, os.strerror(code), str(old))


def sync_directory(path: Path) -> None:
    """Makes renames durable; a no-op where directories cannot be opened."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
