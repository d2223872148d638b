"""The table of oracles; the module of one is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from edgekit.compat.oracle.base import Oracle
from edgekit.diagnostics import error

_HOMES: Mapping[str, str] = {
    "hls4ml": "edgekit.compat.oracle.hls4ml:Hls4ml",
    "qnn": "edgekit.compat.oracle.qnn:Qnn",
    "vela": "edgekit.compat.oracle.vela:Vela",
}

_TOOLCHAINS: Mapping[str, str] = {
    "ethos-u-vela": "vela",
    "hls4ml": "hls4ml",
    "onnxruntime-qnn": "qnn",
}
"""The oracle that is a target's toolchain, by the toolchain's name."""

_COMPILERS = frozenset({"vela"})
"""Oracles that leave a compiled file."""


def compiler_of(toolchain: str) -> str | None:
    """Returns the name of the oracle that compiles files for a toolchain, `None` if there is none."""
    name = oracle_of(toolchain)
    return name if name in _COMPILERS else None


def oracle_of(toolchain: str) -> str | None:
    """Returns the name of the oracle that is a toolchain, `None` if there is none."""
    return _TOOLCHAINS.get(toolchain)


def oracle_names() -> tuple[str, ...]:
    """Returns the names of the oracles, sorted."""
    return tuple(sorted(_HOMES))


def oracle_for(name: str, **options: Any) -> Oracle:
    """Returns an oracle.

    Args:
        name: A name of the table.
        options: Fields of its class, such as `program` and `timeout_s`.

    Raises:
        EdgekitError: EK204 if there is none of this name.
    """
    if name not in _HOMES:
        known = ", ".join(f"`{one}`" for one in oracle_names())
        raise error("EK204", f"there is no oracle `{name}`", notes=[f"oracles: {known}"])
    module, _, attribute = _HOMES[name].partition(":")
    oracle: Oracle = getattr(importlib.import_module(module), attribute)(**options)
    return oracle
