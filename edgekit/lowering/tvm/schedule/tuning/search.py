"""Measures the likeliest tiles of every contraction of a module."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.lowering.tvm.adapter import tvm
from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.expr import is_buffer, number
from edgekit.lowering.tvm.schedule.function import inlined_cheap, schedule_program
from edgekit.lowering.tvm.schedule.graph import arranged_programs
from edgekit.lowering.tvm.schedule.plan import plan_of, work_of
from edgekit.lowering.tvm.schedule.rules.table import Task
from edgekit.lowering.tvm.schedule.stage import Declined, Program, elements
from edgekit.lowering.tvm.schedule.tile import candidates
from edgekit.lowering.tvm.schedule.tuning.log import Decision, Trial, append
from edgekit.lowering.tvm.schedule.workload import workload

TILES = 8
"""How many of the tiles that the estimate likes best are measured."""
RUNS = 9


@dataclass(frozen=True)
class Job:
    """A function to tune.

    Attributes:
        name: The function's name in the module.
        work: Multiplications in one call, times the calls.
    """

    name: str
    program: Program
    constants: frozenset[int]
    workload: str
    work: int
    decisions: tuple[Decision, ...]


def jobs_of(mod: Any, target: Any) -> list[Job]:
    """Lists the functions of a module that have a choice of tiles, those with the most work first."""
    cpu = Cpu.of(target)
    found: dict[str, Job] = {}
    for name, (program, constants, calls) in arranged_programs(mod).items():
        key = workload(program, constants)
        choices = _choices(program, constants, cpu)
        if choices is None or key in found:
            continue
        work, decisions = choices
        found[key] = Job(name, program, constants, key, work * calls, decisions)
    return sorted(found.values(), key=lambda job: (-job.work, job.workload))


def _choices(
    program: Program, constants: frozenset[int], cpu: Cpu
) -> tuple[int, tuple[Decision, ...]] | None:
    if any(number(d) is None for p in program.params if is_buffer(p) for d in p.ty.shape):
        return None
    program = inlined_cheap(program)
    for position in range(len(program.stages)):
        plan = plan_of(Task(program, position, constants, cpu))
        if isinstance(plan, Declined):
            continue
        tiles = candidates(work_of(plan.sums, plan.row, plan.lane), cpu)[:TILES]
        first = plan.columns_first
        decisions = [Decision(t.rows, t.vectors, first) for t in tiles]
        decisions += [Decision(t.rows, t.vectors, not first) for t in tiles[: TILES // 2]]
        return elements(plan.sums.stage.axes) or 0, tuple(decisions)
    return None


def search(
    jobs: list[Job],
    target: Any,
    seconds: float,
    known: list[Trial],
    log: Path,
    progress: Callable[[int, int], None],
) -> list[Trial]:
    """Measures decisions until all are measured or the time is over.

    Functions take turns, so that each has its likeliest tiles measured before one has all. What the log
    holds already is not measured again.

    Returns:
        The new trials, which are also appended to the log.
    """
    done = {(t.workload, t.decision) for t in known if t.target == str(target)}
    rounds = zip_longest(*([(job, d) for d in job.decisions] for job in jobs))
    todo = [pair for turn in rounds for pair in turn if pair and (pair[0].workload, pair[1]) not in done]
    end = time.monotonic() + seconds
    new: list[Trial] = []
    for job, decision in todo:
        if time.monotonic() >= end:
            break
        trial = Trial(job.workload, str(target), decision, _measured(job, asdict(decision), target))
        append(log, trial)
        new.append(trial)
        progress(len(new), len(todo))
    return new


def _measured(job: Job, decision: Mapping[str, Any], target: Any) -> float | None:
    """Compiles a function with a decision and times it; the fastest of some calls, in microseconds."""
    result = schedule_program(job.program, job.constants, Cpu.of(target), decision)
    function = result.func.with_attr("global_symbol", "main")
    try:
        built = tvm.compile(tvm.IRModule({"main": function}), target=target)
    except tvm.TVMError:
        return None
    rng = np.random.default_rng(0)
    values = [tvm.runtime.tensor(_values(rng, p)) for p in function.params]
    call = built["main"]
    best = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        call(*values)
        best = min(best, time.perf_counter() - start)
    return round(best * 1e6, 3)


def _values(rng: np.random.Generator, buffer: Any) -> Any:
    shape = [int(d) for d in buffer.ty.shape]
    dtype = np.dtype(str(buffer.ty.dtype))
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)
