"""CPU schedules for modules of Relax: `schedule(mod, target)`."""

from __future__ import annotations

from typing import Any


def schedule(mod: Any, target: Any) -> Any:
    """Schedules the loops of a module for a CPU.

    Args:
        mod: A module of Relax after `LegalizeOps`, `AnnotateTIROpPattern`, `FuseOps` and `FuseTIR`.
        target: TVM's target; only the kind `llvm` has rules, modules for others are returned as they are.

    Returns:
        A module that computes the same, up to the order of float sums.
    """
    from edgekit.lowering.tvm.schedule.cpu import Cpu
    from edgekit.lowering.tvm.schedule.graph import schedule_functions

    if target.kind.name != "llvm":
        return mod
    return schedule_functions(mod, Cpu.of(target), {})
