"""CPU schedules for modules of Relax: `schedule`, and `tune` to choose tiles by measuring.

A module is given after `LegalizeOps`, `AnnotateTIROpPattern`, `FuseOps` and `FuseTIR`. `schedule` needs no
other preparation: it chooses layouts, packs constants and writes the loops. With a log,

    decisions, warnings = decisions_of(log, target)
    module = schedule(module, target, decisions)

and a flag `--tune MINUTES` calls `tune(module, target, minutes, log, progress)` before these lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Diagnostic


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


def decisions_of(log: Path, target: Any) -> tuple[dict[str, Mapping[str, Any]], tuple[Diagnostic, ...]]:
    """Reads what tuning chose for a target.

    Returns:
        The decisions by workload, and warnings EK206 about what in the log cannot be read.
    """
    from edgekit.lowering.tvm.schedule.tuning.log import best, read_log

    trials, warnings = read_log(log)
    return best(trials, str(target)), warnings


def tune(
    mod: Any,
    target: Any,
    minutes: float,
    log: Path,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Diagnostic, ...]:
    """Measures tiles for the contractions of a module on this machine and appends the results to a log.

    Args:
        mod: A fused module of Relax, as for `schedule`.
        target: A target of the kind `llvm` whose code this machine runs.
        minutes: When to stop, though never in the middle of a measurement.
        log: JSON lines; measurements in it are not made again.
        progress: Called with the measurements done and planned.

    Returns:
        Warnings EK206 about what in the log cannot be read.

    Raises:
        EdgekitError: EK204 if the target's code does not run on this machine.
    """
    from edgekit.lowering.tvm.schedule.cpu import require_host
    from edgekit.lowering.tvm.schedule.tuning.log import read_log
    from edgekit.lowering.tvm.schedule.tuning.search import jobs_of, search

    require_host(target)
    known, warnings = read_log(log)
    search(jobs_of(mod, target), target, minutes * 60, known, log, progress or (lambda done, planned: None))
    return warnings


__all__ = ["decisions_of", "schedule", "tune"]
