"""Measures the likeliest tiles of the contractions of a module against what the rules choose."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from edgekit.lowering.tvm.adapter import tvm
from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.expr import Ranges, free_vars, index, is_buffer, number, substitute
from edgekit.lowering.tvm.schedule.function import schedule_program
from edgekit.lowering.tvm.schedule.tuning.interrupts import Interrupts
from edgekit.lowering.tvm.schedule.tuning.jobs import Job
from edgekit.lowering.tvm.schedule.tuning.log import WORTH, Decision, Trial, append, gains
from edgekit.lowering.tvm.schedule.tuning.measure import NONE, Meter, OutOfTime
from edgekit.lowering.tvm.schedule.tuning.message import Argument, Function

Link = Callable[[Any], bytes]
"""Makes a shared library of what TVM compiled."""


@dataclass(frozen=True)
class Progress:
    """How far tuning is.

    Attributes:
        done: Measurements made.
        planned: Measurements to make, those done included.
        tuned: Functions for which something faster than the rule's choice is known.
        functions: Functions that can be tuned.
        gain: The largest gain so far, as a factor of the rule's speed.
        seconds: Time left.
    """

    done: int
    planned: int
    tuned: int
    functions: int
    gain: float
    seconds: float


@dataclass(frozen=True)
class Search:
    """What does not change while tuning.

    Attributes:
        target: The target of the functions.
        link: Makes libraries.
        log: Gets each measurement.
        end: When to stop, in the seconds of `time.monotonic`.
        progress: Is told of each measurement.
    """

    target: Any
    link: Link
    log: Path
    end: float
    progress: Callable[[Progress], None]

    def run(self, jobs: list[Job], known: list[Trial]) -> list[Trial]:
        """Measures decisions until all are measured or the time is over.

        Functions take turns, so that each has its likeliest tiles measured before one has all. What is known
        is not measured again. Only whole measurements enter the log: the end of the time ends the process
        that makes one.

        Returns:
            The new trials.
        """
        done = {(t.workload, t.decision) for t in known}
        rounds = zip_longest(*([(job, d) for d in job.decisions] for job in jobs))
        todo = [pair for turn in rounds for pair in turn if pair and (pair[0].workload, pair[1]) not in done]
        new: list[Trial] = []
        if not todo:
            return new
        self._tell(jobs, known, new, len(todo))
        rules: dict[str, Function | None] = {}
        with Interrupts() as interrupts, Meter(self.end) as meter:
            for job, decision in todo:
                interrupts.check()
                if job.workload not in rules:
                    rules[job.workload] = self._built(job, None)
                try:
                    new.append(self._trial(job, decision, rules[job.workload], meter))
                except OutOfTime:
                    break
                interrupts.check()  # the process that measures gets it too: its answer is none
                append(self.log, new[-1])
                self._tell(jobs, known, new, len(todo))
        return new

    def _tell(self, jobs: list[Job], known: list[Trial], new: list[Trial], planned: int) -> None:
        better = gains([*known, *new]).values()
        best = max((t.gain for t in better), default=1.0)
        left = max(0.0, self.end - time.monotonic())
        self.progress(Progress(len(new), planned, len(better), len(jobs), best, left))

    def _trial(self, job: Job, decision: Decision, rule: Function | None, meter: Meter) -> Trial:
        """Measures a decision; again if it seems to be the better one, and then the smaller gain counts."""
        candidate = self._built(job, decision)

        def once() -> Trial:
            answer = NONE if rule is None or candidate is None else meter.compare(rule, candidate)
            times = (answer.candidate, answer.rule)
            return Trial(job.workload, str(self.target), tvm.__version__, decision, *times)

        first = once()
        return min(first, once(), key=lambda t: t.gain) if first.gain >= WORTH else first

    def _built(self, job: Job, decision: Decision | None) -> Function | None:
        """Compiles a function with a decision, or with the rule's own choice; None if TVM cannot.

        Raises:
            OutOfTime: If the time is over.
        """
        if time.monotonic() >= self.end:
            raise OutOfTime
        chosen = None if decision is None else asdict(decision)
        func = schedule_program(job.program, job.constants, Cpu.of(self.target), chosen).func
        module = tvm.IRModule({"main": func.with_attr("global_symbol", "main")})
        try:
            library = self.link(tvm.compile(module, target=self.target))
        except (RuntimeError, ValueError, TypeError):  # what TVM's errors derive from
            return None
        return Function(library, tuple(map(_argument, func.params)))


def _argument(parameter: Any) -> Argument:
    """Describes a parameter; sizes of run time are taken as 1."""
    if not is_buffer(parameter):
        return Argument(None)
    return Argument(tuple(map(_size, parameter.ty.shape)), str(parameter.ty.dtype))


def _size(size: Any) -> int:
    found = number(Ranges().simplify(substitute(size, {v: index(1) for v in free_vars(size)})))
    return 1 if found is None else found
