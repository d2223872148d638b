"""What can be tuned: functions with a choice of tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.function import inlined_cheap
from edgekit.lowering.tvm.schedule.graph import arranged_programs
from edgekit.lowering.tvm.schedule.plan import plan_of, work_of
from edgekit.lowering.tvm.schedule.rules.table import Task
from edgekit.lowering.tvm.schedule.stage import Declined, Program
from edgekit.lowering.tvm.schedule.tile import candidates
from edgekit.lowering.tvm.schedule.tuning.log import Decision
from edgekit.lowering.tvm.schedule.workload import workload

TILES = 8
"""How many of the tiles that the estimate likes best are measured."""


@dataclass(frozen=True)
class Job:
    """A function to tune.

    Attributes:
        name: The function's name in the module.
        program: The function.
        constants: Positions of its parameters that are constants.
        workload: Its hash.
        work: Multiplications in one call, times the calls; sizes of run time count as 1, as they do when it
            is measured.
        decisions: What to try, the likeliest first; what the rule chooses by itself is not among them.
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
    program = inlined_cheap(program)
    for position in range(len(program.stages)):
        plan = plan_of(Task(program, position, constants, cpu))
        if isinstance(plan, Declined):
            continue
        tiles = candidates(work_of(plan.sums, plan.row, plan.lane), cpu)[:TILES]
        first = plan.columns_first
        decisions = [Decision(t.rows, t.vectors, first) for t in tiles[1:]]
        decisions += [Decision(t.rows, t.vectors, not first) for t in tiles[: TILES // 2]]
        return math.prod(axis.size or 1 for axis in plan.sums.stage.axes), tuple(decisions)
    return None
