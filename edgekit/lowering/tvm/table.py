"""The table of lowerings to TVM; the files under `ops/` fill it."""

from __future__ import annotations

import importlib
import pkgutil

from edgekit.lowering.table import LoweringTable

TABLE = LoweringTable("tvm")
lowers = TABLE.lowers


def load_ops() -> LoweringTable:
    """Imports every file under `ops/` and returns the filled table."""
    from edgekit.lowering.tvm import ops

    for module in pkgutil.iter_modules(ops.__path__, ops.__name__ + "."):
        importlib.import_module(module.name)
    return TABLE
