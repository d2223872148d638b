"""TVM's modules under the names that this package uses."""

from __future__ import annotations

from typing import Any

from edgekit.diagnostics import missing_package

try:
    import tvm
    import tvm_ffi as ffi
    from tvm import relax, s_tir
    from tvm import tirx as tir
    from tvm.sym import Analyzer
except ImportError as problem:
    raise missing_package("apache-tvm", "tvm", "converting with the backend `tvm`") from problem

Expr = Any
"""A scalar expression of TIR."""
Stmt = Any
"""A statement of TIR."""
Var = Any
"""A variable of TIR: a loop's, a size's or a buffer."""
PrimFunc = Any
"""A function of TIR."""

__all__ = ["Analyzer", "Expr", "PrimFunc", "Stmt", "Var", "ffi", "relax", "s_tir", "tir", "tvm"]
