"""Schedules a module by the rules, by what was measured before, and by what is measured now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.diagnostics import Diagnostic, error
from edgekit.lowering.progress import Share
from edgekit.lowering.tvm.gpu import schedule_gpu
from edgekit.lowering.tvm.options import TvmOptions
from edgekit.lowering.tvm.schedule import decisions_of, schedule, tune

if TYPE_CHECKING:
    from edgekit.lowering.tvm.schedule.tuning.search import Link, Progress


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a log of measurements did to a module.

    Attributes:
        log: The file.
        functions: How many functions have a schedule that was measured to be faster than the rules' own.
    """

    log: str
    functions: int


def scheduled(
    module: Any, target: Any, options: TvmOptions, link: Link, progress: Callable[[str], None]
) -> tuple[Any, Tuning | None, tuple[Diagnostic, ...]]:
    """Schedules the loops of a fused module.

    Args:
        module: A module that `compile.fused` gave.
        target: Its target.
        options: Whether to tune, and the log.
        link: Makes a shared library of what TVM compiled.
        progress: Called while measurements are made.

    Returns:
        The module, what a log did to it, and what is to be said of the log.

    Raises:
        EdgekitError: EK204 if the log does not exist and is not about to be made, or if there is to be tuning
            for another machine.
    """
    if target.kind.name != "llvm":
        return schedule_gpu(module, target), None, ()
    if options.tuning_log is None:
        return schedule(module, target), None, ()
    log = Path(options.tuning_log)
    if options.tune is not None:
        tune(module, target, options.tune, log, link, _teller(options.tune * 60, progress))
    elif not log.exists():
        raise error("EK204", f"the tuning log `{log}` does not exist")
    decisions, diagnostics = decisions_of(log, module, target)
    return schedule(module, target, decisions), Tuning(str(log), len(decisions)), diagnostics


def _teller(seconds: float, progress: Callable[[str], None]) -> Callable[[Progress], None]:
    def tell(state: Progress) -> None:
        left = round(state.seconds)
        text = (
            f"tune: {state.done} of {state.planned} measured, {state.tuned} of {state.functions} functions "
            f"faster, best gain {state.gain:.2f}x, {left // 60}:{left % 60:02d} left"
        )
        progress(Share(text, max(state.done / state.planned, 1 - state.seconds / seconds)))

    return tell
