"""The one place that knows TVM's module names; only `emit`, `compile` and the kernels import it.

TVM renames its packages between releases (`tir` became `tirx`, scheduling moved to `s_tir`). What the
rest of edgekit needs has one name here.
"""

from __future__ import annotations

from typing import Any

from edgekit.diagnostics import missing_package

try:
    import tvm
    import tvm_ffi
    from tvm import relax, s_tir, te
    from tvm import tirx as tir
    from tvm.s_tir import dlight
    from tvm.script.ir_builder import IRBuilder
    from tvm.script.ir_builder import tirx as script
    from tvm.sym import Analyzer
except ImportError as problem:
    raise missing_package("apache-tvm", "tvm", "converting with the backend `tvm`") from problem

# An exception of a Python callback passes through C++ by its name; one that TVM does not know comes out as a
# RuntimeError, and Ctrl-C would look like a function that cannot be compiled.
tvm_ffi.error.register_error("KeyboardInterrupt", KeyboardInterrupt)

Expr = Any
"""A scalar expression of TIR, or an int."""
Tensor = Any
"""A tensor of TVM's tensor expressions."""


def dtype_of(x: Expr | Tensor) -> str:
    """Returns the dtype of a scalar expression, a tensor, or a type of TVM."""
    if isinstance(x, relax.TensorType):
        return _text(x.dtype)
    kind = x if isinstance(x, tvm.ir.PrimType) else x.dtype if isinstance(x, te.Tensor) else x.ty
    return _text(kind.dtype)


def _text(dtype: Any) -> str:
    return str(dtype.dtype if isinstance(dtype, tvm.ir.PrimType) else dtype)


def is_int(dim: Expr) -> bool:
    """Tells whether a size is a number, not an expression."""
    return isinstance(dim, int | tir.IntImm)


def same(a: Expr, b: Expr) -> bool:
    """Tells whether two sizes are the same expression."""
    if is_int(a) and is_int(b):
        return int(a) == int(b)
    if is_int(a) or is_int(b):
        return False
    return bool(tvm_ffi.structural_equal(a, b))


def has_codegen(kind: str) -> bool:
    """Tells whether this build of TVM generates code for a kind of target."""
    return tvm.get_global_func(f"target.build.{kind}", allow_missing=True) is not None


def tensor(array: Any) -> Any:
    """Copies a numpy array into a tensor of TVM."""
    return tvm.runtime.tensor(array)


__all__ = [
    "Analyzer",
    "Expr",
    "IRBuilder",
    "Tensor",
    "dlight",
    "dtype_of",
    "has_codegen",
    "is_int",
    "relax",
    "s_tir",
    "same",
    "script",
    "te",
    "tensor",
    "tir",
    "tvm",
    "tvm_ffi",
]
