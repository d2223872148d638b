"""Advice that is a rewrite: each file brings nodes that a target does not take into another form."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from edgekit.compat.advice.table import Advice, Claim


@functools.cache
def advice() -> Mapping[str, Advice]:
    """Returns every rewrite by its name, in the order in which they are tried: sizes, then the exact ones."""
    from edgekit.compat.advice.table import TABLE

    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    order = list(Claim)
    return dict(sorted(TABLE.items(), key=lambda p: (p[0] != "fixed-batch", order.index(p[1].claim), p[0])))


__all__ = ["Advice", "Claim", "advice"]
