"""Functions of TIR read as stages: each assigns one expression to every element of a buffer.

A kernel after fusion is a sequence of such stages. In this form layouts, inlining and tiling are
substitutions of variables; `nest` writes the loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, s_tir, tir
from edgekit.lowering.tvm.schedule.expr import Load, PrimFunc, Var, is_buffer, map_loads, number, substitute


@dataclass(frozen=True)
class Axis:
    """A loop of a stage; `begin` is not 0 only for a part of a stage."""

    var: Var
    extent: Expr
    reduces: bool = False
    begin: int = 0

    @property
    def size(self) -> int | None:
        """The extent if it is a number."""
        return number(self.extent)


@dataclass(frozen=True)
class Stage:
    """buffer[indices] = value for all values of the axes.

    For a stage that reduces, `value` reads the buffer at the same indices and `init` is where it starts.
    """

    name: str
    axes: tuple[Axis, ...]
    buffer: Var
    indices: tuple[Expr, ...]
    value: Expr
    init: Expr | None = None

    @property
    def spatial(self) -> tuple[Axis, ...]:
        """The axes that number the elements of the result."""
        return tuple(a for a in self.axes if not a.reduces)

    @property
    def reduction(self) -> tuple[Axis, ...]:
        """The axes that are summed over."""
        return tuple(a for a in self.axes if a.reduces)

    def axis_of(self, var: Var) -> Axis | None:
        """Returns the axis of a variable."""
        return next((a for a in self.axes if a.var.same_as(var)), None)


@dataclass(frozen=True)
class Program:
    """A function of TIR as stages.

    Attributes:
        params: Parameters in order: buffers and sizes.
        stages: In order of execution.
        local: Buffers that only this function has.
        attrs: Attributes of the function.
    """

    params: tuple[Var, ...]
    stages: tuple[Stage, ...]
    local: tuple[Var, ...]
    attrs: Any

    @property
    def outputs(self) -> tuple[int, ...]:
        """Positions of the parameters that are written."""
        written = [s.buffer for s in self.stages]
        return tuple(i for i, p in enumerate(self.params) if any(p.same_as(b) for b in written))

    def readers(self, buffer: Var) -> list[Stage]:
        """Returns the stages that read a buffer, other than by summing into it."""
        return [s for s in self.stages if not s.buffer.same_as(buffer) and _reads(s.value, buffer)]

    def is_local(self, buffer: Var) -> bool:
        """Tells whether a buffer lives only inside the function."""
        return any(buffer.same_as(b) for b in self.local)


@dataclass(frozen=True)
class Declined:
    """Why a rule or an analysis does not apply."""

    reason: str


def elements(axes: Sequence[Axis]) -> int | None:
    """Returns how many turns axes make together, None if that is known only at run time."""
    total = 1
    for axis in axes:
        if axis.size is None:
            return None
        total *= axis.size
    return total


def read(func: PrimFunc) -> Program | Declined:
    """Reads a function as stages.

    Returns:
        The program, or why the function has no such form.
    """
    root = func.body
    if not isinstance(root, s_tir.SBlockRealize):
        return Declined("the function is not made of blocks")
    body = root.block.body
    parts = list(body.seq) if isinstance(body, tir.SeqStmt) else [body]
    stages = []
    for part in parts:
        stage = _stage(part)
        if isinstance(stage, Declined):
            return stage
        stages.append(stage)
    written = [s.buffer for s in stages]
    if any(a.same_as(b) for i, a in enumerate(written) for b in written[:i]):
        return Declined("a buffer is written by two blocks")
    return Program(tuple(func.params), tuple(stages), tuple(root.block.alloc_buffers), func.attrs)


def _stage(stmt: Any) -> Stage | Declined:
    loops: list[Any] = []
    while isinstance(stmt, tir.For):
        if stmt.kind != tir.ForKind.SERIAL or number(stmt.min) != 0:
            return Declined("a loop is already scheduled")
        loops.append(stmt)
        stmt = stmt.body
    if not isinstance(stmt, s_tir.SBlockRealize):
        return Declined("loops and blocks are not nested perfectly")
    block = stmt.block
    store, init = block.body, block.init
    if not isinstance(store, tir.BufferStore) or not (init is None or isinstance(init, tir.BufferStore)):
        return Declined(f"the block `{block.name_hint}` is not one assignment")
    if number(stmt.predicate) != 1 or block.alloc_buffers or block.match_buffers:
        return Declined(f"the block `{block.name_hint}` has a condition or buffers of its own")
    bound = list(stmt.iter_values)
    if any(number(b) != 0 and not any(b.same_as(loop.loop_var) for loop in loops) for b in bound):
        return Declined(f"the block `{block.name_hint}` does not run over plain loops")
    axes = []
    for it in block.iter_vars:
        if it.iter_type not in (tir.IterVar.DataPar, tir.IterVar.CommReduce):
            return Declined(f"the block `{block.name_hint}` has an ordered axis")
        axes.append(Axis(it.var, it.dom.extent, it.iter_type == tir.IterVar.CommReduce))
    return Stage(
        block.name_hint,
        tuple(axes),
        store.buffer,
        tuple(store.indices),
        store.value,
        None if init is None else init.value,
    )


def _reads(expr: Expr, buffer: Var) -> bool:
    from edgekit.lowering.tvm.schedule.expr import loads

    return any(load.source.same_as(buffer) for load in loads(expr))


def with_buffers(
    program: Program, change: Callable[[Var, Sequence[Expr]], tuple[Var, list[Expr]]]
) -> Program:
    """Replaces buffers and the indices into them, wherever they are read and written."""

    def moved(load: Any) -> Expr:
        buffer, indices = change(load.source, list(load.indices))
        return load if buffer is load.source else tir.BufferLoad(buffer, indices)

    def rewritten(stage: Stage) -> Stage:
        buffer, indices = change(stage.buffer, list(stage.indices))
        return replace(stage, buffer=buffer, indices=tuple(indices), value=map_loads(stage.value, moved))

    def renamed(var: Var) -> Var:
        return change(var, list(var.ty.shape))[0] if is_buffer(var) else var

    return replace(
        program,
        params=tuple(renamed(p) for p in program.params),
        stages=tuple(rewritten(s) for s in program.stages),
        local=tuple(renamed(b) for b in program.local),
    )


def permuted(program: Program, perms: dict[Var, Sequence[int]]) -> Program:
    """Stores buffers with their axes in another order."""
    new = {b: tir.decl_buffer([b.ty.shape[p] for p in perm], b.ty.dtype, b.name) for b, perm in perms.items()}

    def change(buffer: Var, indices: Sequence[Expr]) -> tuple[Var, list[Expr]]:
        if buffer not in new:
            return buffer, list(indices)
        return new[buffer], [indices[p] for p in perms[buffer]]

    return with_buffers(program, change)


def inlined(program: Program, stage: Stage) -> Program:
    """Computes a stage where its result is read, instead of storing it."""

    def at(load: Any) -> Expr:
        if not load.source.same_as(stage.buffer):
            return load
        places = {v: i for v, i in zip(stage.indices, load.indices, strict=True) if number(v) is None}
        return substitute(stage.value, places)

    kept = tuple(replace(s, value=map_loads(s.value, at)) for s in program.stages if s is not stage)
    return replace(program, stages=kept, local=tuple(b for b in program.local if not b.same_as(stage.buffer)))


__all__ = [
    "Axis",
    "Declined",
    "Load",
    "Program",
    "Stage",
    "elements",
    "inlined",
    "permuted",
    "read",
    "with_buffers",
]
