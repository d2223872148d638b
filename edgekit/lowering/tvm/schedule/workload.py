"""Names a function by what it computes, so that a decision made for one model serves in another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from edgekit.lowering.tvm.adapter import Expr, tir, tvm
from edgekit.lowering.tvm.schedule.expr import Var, is_buffer, substitute
from edgekit.lowering.tvm.schedule.stage import Program, Stage, with_buffers


def workload(program: Program, constants: frozenset[int]) -> str:
    """Returns a hash of a program that does not depend on the names in it."""
    plain = _renamed_buffers(program)
    lines = [f"tvm {tvm.__version__}", f"constants {sorted(constants)}"]
    lines += [f"param {p.name} {p.ty}" for p in plain.params]
    lines += [_line(_renamed_axes(stage, i)) for i, stage in enumerate(plain.stages)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24]


def _renamed_buffers(program: Program) -> Program:
    buffers = [b for b in (*program.params, *program.local) if is_buffer(b)]
    new = {b: tir.decl_buffer(b.ty.shape, b.ty.dtype, f"b{i}") for i, b in enumerate(buffers)}

    def change(buffer: Var, indices: Sequence[Expr]) -> tuple[Var, list[Expr]]:
        return new[buffer], list(indices)

    return with_buffers(program, change)


def _renamed_axes(stage: Stage, position: int) -> Stage:
    names = {a.var: tir.Var(f"i{position}_{k}", "int64") for k, a in enumerate(stage.axes)}
    return replace(
        stage,
        axes=tuple(replace(a, var=names[a.var]) for a in stage.axes),
        indices=tuple(substitute(i, names) for i in stage.indices),
        value=substitute(stage.value, names),
    )


def _line(stage: Stage) -> str:
    axes = " ".join(f"{a.var.name}:{a.extent}{'r' if a.reduces else ''}" for a in stage.axes)
    return f"{axes} | {stage.buffer.name}[{stage.indices}] = {stage.value} | {stage.init}"
