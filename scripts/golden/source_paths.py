"""Stack traces without the machine they were made on."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FRAME = re.compile(r'File "([^"]+)"')


def portable(trace: str) -> str:
    """Rewrite the file of each frame of a stack trace.

    Files of this repository become relative to its root, files of installed packages and of
    the standard library relative to the folder they are imported from. Relative paths stay.

    Raises:
        ValueError: a frame lies in none of these places.
    """
    return _FRAME.sub(lambda match: f'File "{_relative(Path(match[1]))}"', trace)


def _relative(file: Path) -> str:
    if not file.is_absolute():
        return file.as_posix()
    # Packages before the repository: a virtual environment may live inside it.
    for key in ("purelib", "platlib"):
        if file.is_relative_to(sysconfig.get_path(key)):
            return file.relative_to(sysconfig.get_path(key)).as_posix()
    if file.is_relative_to(ROOT):
        return file.relative_to(ROOT).as_posix()
    if file.is_relative_to(sysconfig.get_path("stdlib")):
        return file.relative_to(sysconfig.get_path("stdlib")).as_posix()
    raise ValueError(f"`{file}` is outside the repository and the installed packages")
