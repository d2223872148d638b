"""Small tools for scalar expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from edgekit.lowering.tvm.adapter import Analyzer, Expr, tir, tvm
from edgekit.lowering.tvm.adapter import tvm_ffi as ffi

Load = tvm.ir.TensorLoad
Stmt = Any
"""A statement of TIR."""
Var = Any
"""A variable of TIR: a loop's, a size's or a buffer."""
PrimFunc = Any
"""A function of TIR."""


def index(value: Expr | int) -> Expr:
    """Makes an int64 index of a number; expressions stay."""
    return tir.IntImm("int64", value) if isinstance(value, int) else value


def number(expr: Expr) -> int | None:
    """Returns the value of a constant integer, else None."""
    if isinstance(expr, int):
        return expr
    return int(expr.value) if isinstance(expr, tir.IntImm) else None


def same(a: Expr, b: Expr) -> bool:
    """Tells whether two expressions are written alike."""
    return bool(ffi.structural_equal(a, b))


def is_buffer(var: Any) -> bool:
    """Tells whether a parameter is a buffer, not a scalar."""
    return bool(tir.buffer.is_buffer_var(var))


def free_vars(expr: Expr) -> list[Var]:
    """Returns the scalar variables of an expression, each once."""
    found: dict[Var, None] = {}
    ffi.structural_walk(expr, (tvm.ir.Var, lambda v: found.setdefault(v) if not is_buffer(v) else None))
    return list(found)


def loads(expr: Expr) -> list[Any]:
    """Returns the reads of buffers in an expression, outer ones first."""
    found: list[Any] = []
    ffi.structural_walk(expr, (Load, lambda load: found.append(load)), order="pre")
    return found


def reads_bools(expr: Expr) -> bool:
    """Tells whether an expression reads a buffer of bools.

    Loops over these stay scalar: TVM 0.27 fails on some selections by vectors of bools that the same function
    has stored (it negates the stored bytes while simplifying).
    """
    return any(str(load.source.ty.dtype) == "bool" for load in loads(expr))


def substitute(expr: Expr, values: Mapping[Var, Expr]) -> Expr:
    """Replaces scalar variables."""
    if not values:
        return expr
    return ffi.structural_map(expr, (tvm.ir.Var, lambda v: values.get(v, v)), order="post")


def map_loads(expr: Expr, change: Callable[[Any], Expr]) -> Expr:
    """Replaces reads of buffers; inner reads first."""
    return ffi.structural_map(expr, (Load, change), order="post")


class Ranges:
    """Simplifies and bounds expressions over variables with known ranges."""

    def __init__(self, axes: Iterable[tuple[Var, Expr | int, Expr | int]] = ()) -> None:
        self._analyzer = Analyzer()
        for var, begin, extent in axes:
            self._analyzer.bind(var, tvm.ir.Range.from_min_extent(index(begin), index(extent)))

    def simplify(self, expr: Expr) -> Expr:
        """Returns an equal, simpler expression."""
        return self._analyzer.simplify(index(expr))

    def bounds(self, expr: Expr) -> tuple[int, int]:
        """Returns the smallest and the largest value that an expression can take."""
        found = self._analyzer.const_int_bound(expr)
        return int(found.min_value), int(found.max_value)


def linear(expr: Expr, variables: Sequence[Var]) -> list[Expr] | None:
    """Splits an expression into coefficients of variables and a rest without them, if it is linear."""
    found = tvm.sym.detect_linear_equation(expr, list(variables))
    return list(found) if len(found) else None
