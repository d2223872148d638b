"""Sums of products of int16 by twos: x86 multiplies neighbours and adds both products in one instruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.lowering.tvm.adapter import Expr, dtype_of, tir
from edgekit.lowering.tvm.schedule.contraction import Contraction
from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.expr import Stmt, Var, free_vars, index, loads, substitute
from edgekit.lowering.tvm.schedule.stage import Axis

INSTRUCTIONS: Mapping[int, str] = {
    4: "llvm.x86.sse2.pmadd.wd",
    8: "llvm.x86.avx2.pmadd.wd",
    16: "llvm.x86.avx512.pmaddw.d.512",
}
"""By the number of int32 lanes."""


def can_pair(sums: Contraction, last: Axis | None, lanes: int, cpu: Cpu) -> bool:
    """Tells whether a contraction can be summed by twos along its innermost sum.

    Args:
        sums: The contraction.
        last: The innermost axis of its sums.
        lanes: Elements of a vector of the sums.
        cpu: The CPU.
    """
    if last is None or last.size is None or last.size % 2 or lanes not in cpu.pair_lanes:
        return False
    if str(sums.stage.buffer.ty.dtype) != "int32":
        return False
    return all(_is_widened(factor) for factor in (sums.left, sums.right)) and _is_innermost(
        sums.left, last.var
    )


def _is_widened(factor: Expr) -> bool:
    """Tells whether a factor is one int16, converted to int32."""
    return (
        isinstance(factor, tir.Cast) and factor.value in loads(factor) and dtype_of(factor.value) == "int16"
    )


def _is_innermost(factor: Expr, var: Var) -> bool:
    """Tells whether steps of a variable are steps along the last axis of a buffer, and nowhere else."""
    *others, last = loads(factor)[0].indices
    if any(v.same_as(var) for place in others for v in free_vars(place)):
        return False
    if last.same_as(var):
        return True
    ends = (last.a, last.b) if isinstance(last, tir.Add) else ()
    return any(e.same_as(var) for e in ends) and sum(v.same_as(var) for e in ends for v in free_vars(e)) == 1


@dataclass(frozen=True)
class Pairs:
    """Two products per lane and step.

    Attributes:
        left: The factor that is repeated, widened.
        axis: The axis of the sum that is taken by twos; in the loops its variable counts pairs.
        lanes: Elements of a vector of sums.
    """

    left: Expr
    axis: Axis
    lanes: int

    def add(
        self, acc: Var, at: Sequence[Expr], weights: Expr, first: Expr, places: Mapping[Var, Expr]
    ) -> Stmt:
        """Adds the products of two neighbours to a vector of sums.

        Args:
            acc: The sums: (rows, vectors, lanes).
            at: Row and vector.
            weights: A read of the first of the packed weights, of which two lie together for each lane.
            first: The place of that read along the last axis.
            places: What axes of the contraction are in this tile.
        """
        read = loads(self.left)[0]
        own = {**places, self.axis.var: self.axis.var * 2}
        *around, last = (substitute(i, own) for i in read.indices)
        two = tir.BufferLoad(read.source, [*around, tir.Ramp(last, index(1), 2)])
        both = tir.reinterpret("int32", two)
        repeated = tir.reinterpret(f"int16x{2 * self.lanes}", tir.Broadcast(both, self.lanes))
        *near, _ = weights.indices
        vector = tir.BufferLoad(weights.source, [*near, tir.Ramp(first, index(1), 2 * self.lanes)])
        kind = f"int32x{self.lanes}"
        products = tir.call_llvm_pure_intrin(kind, INSTRUCTIONS[self.lanes], repeated, vector)
        place = [*at, tir.Ramp(index(0), index(1), self.lanes)]
        return tir.BufferStore(acc, tir.BufferLoad(acc, place) + products, place)
