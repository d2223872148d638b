"""Finds a vendor's tool: named by the caller, by a variable, on the PATH, or importable here."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from edgekit.diagnostics import EdgekitError, error


@dataclass(frozen=True, slots=True)
class Tool:
    """How a tool is found and installed.

    Attributes:
        name: The tool in words.
        variable: Environment variable that names the program (or the Python that has the package).
        program: Name of the program on the PATH; empty if there is none.
        module: Package that holds it when it is installed beside edgekit.
        install: The line that installs it.
    """

    name: str
    variable: str
    program: str
    module: str
    install: str


def command_for(tool: Tool, given: str | None = None) -> list[str]:
    """Returns the start of the command line that runs a tool.

    Args:
        tool: The tool.
        given: Path of the program, if the caller names it.

    Raises:
        EdgekitError: EK501 if it is nowhere, or what was named is not a program.
    """
    named = given or os.environ.get(tool.variable)
    if named:
        found = shutil.which(named)
        if found is None:
            whose = "the option" if given else f"`{tool.variable}`"
            raise _absent(tool, f"{whose} names `{named}`, which is not a program")
        return [str(Path(found).absolute())]
    found = shutil.which(tool.program) if tool.program else None
    if found is not None:
        return [str(Path(found).absolute())]
    if _importable(tool.module):
        return [sys.executable, "-P", "-m", tool.module]
    raise _absent(tool, f"`{tool.program}` is not on the PATH" if tool.program else "it is not installed")


def python_for(tool: Tool, given: str | None = None) -> str:
    """Returns the Python that has a tool's package.

    Args:
        tool: The tool.
        given: Path of a Python, if the caller names it.

    Raises:
        EdgekitError: EK501 if neither a variable names one nor this one has the package.
    """
    if given or os.environ.get(tool.variable):
        return command_for(tool, given)[0]
    if _importable(tool.module):
        return sys.executable
    raise _absent(tool, f"`{tool.module}` is not installed here and `{tool.variable}` names no other Python")


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package above it is missing
        return False


def _absent(tool: Tool, why: str) -> EdgekitError:
    return error(
        "EK501",
        f"{tool.name} is not installed",
        notes=[why],
        help=f"{tool.install}; or set `{tool.variable}`",
        data={"tool": tool.name, "variable": tool.variable},
    )
