"""CPU schedules for modules of Relax: `schedule`, and `tune` to choose tiles by measuring.

A module is given after `LegalizeOps`, `AnnotateTIROpPattern`, `FuseOps` and `FuseTIR`. `schedule` needs no
other preparation: it chooses layouts, packs constants and writes the loops. With a log,

    decisions, warnings = decisions_of(log, module, target)
    module = schedule(module, target, decisions)

and `tune(module, target, minutes, log, link)` before these lines fills the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.diagnostics import Diagnostic

if TYPE_CHECKING:
    from edgekit.lowering.tvm.schedule.tuning.log import Trial
    from edgekit.lowering.tvm.schedule.tuning.search import Link, Progress


def schedule(mod: Any, target: Any, decisions: Mapping[str, Mapping[str, Any]] | None = None) -> Any:
    """Schedules the loops of a module for a CPU.

    Args:
        mod: A fused module of Relax.
        target: TVM's target; only the kind `llvm` has rules, modules for others are returned as they are.
        decisions: What tuning chose, by workload, as `decisions_of` gives it.

    Returns:
        A module that computes the same, up to the order of float sums.
    """
    from edgekit.lowering.tvm.schedule.cpu import Cpu
    from edgekit.lowering.tvm.schedule.graph import schedule_functions

    if target.kind.name != "llvm":
        return mod
    return schedule_functions(mod, Cpu.of(target), decisions or {})


def decisions_of(
    log: Path, mod: Any, target: Any
) -> tuple[dict[str, Mapping[str, Any]], tuple[Diagnostic, ...]]:
    """Reads what tuning chose for the functions of a module.

    Args:
        log: JSON lines; it may hold measurements of other models, targets and versions of TVM.
        mod: A fused module of Relax, as for `schedule`.
        target: The target of the kind `llvm` that the module is compiled for.

    Returns:
        The decisions by workload, only where they are faster than the rules' own; and diagnostics EK206 about
        what in the log cannot be read, and what is not used.
    """
    from edgekit.lowering.tvm.schedule.tuning.log import best, read_log, unused

    trials, warnings = read_log(log)
    mine, left = _applicable(trials, mod, target)
    return best(mine), (*warnings, *unused(log, left, all_unused=not mine))


def _applicable(trials: list[Trial], mod: Any, target: Any) -> tuple[list[Trial], Mapping[str, int]]:
    from edgekit.lowering.tvm.adapter import tvm
    from edgekit.lowering.tvm.schedule.tuning.jobs import jobs_of
    from edgekit.lowering.tvm.schedule.tuning.log import applicable

    return applicable(trials, str(target), tvm.__version__, [job.workload for job in jobs_of(mod, target)])


def tune(
    mod: Any,
    target: Any,
    minutes: float,
    log: Path,
    link: Link,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Diagnostic, ...]:
    """Measures tiles for the contractions of a module on this machine and appends the results to a log.

    Args:
        mod: A fused module of Relax, as for `schedule`.
        target: A target of the kind `llvm` whose code this machine runs.
        minutes: When to stop, also in the middle of a measurement, which is then not logged.
        log: JSON lines; measurements in it are not made again.
        link: Makes a shared library of what TVM compiled.
        progress: Called after each measurement.

    Returns:
        Warnings EK206 about what in the log cannot be read.

    Raises:
        EdgekitError: EK204 if the target's code does not run on this machine; EK506 if the log cannot be
            written.
    """
    from edgekit.lowering.tvm.schedule.cpu import require_host
    from edgekit.lowering.tvm.schedule.tuning.jobs import jobs_of
    from edgekit.lowering.tvm.schedule.tuning.log import read_log, require_writable
    from edgekit.lowering.tvm.schedule.tuning.search import Search

    end = time.monotonic() + minutes * 60
    require_host(target)
    require_writable(log)
    known, warnings = read_log(log)
    mine, _ = _applicable(known, mod, target)
    Search(target, link, log, end, progress or (lambda _: None)).run(jobs_of(mod, target), mine)
    return warnings


__all__ = ["decisions_of", "schedule", "tune"]
