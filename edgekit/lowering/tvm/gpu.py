"""Schedules for devices that are no CPU: TVM's own, good enough to compile, measured by nobody here."""

from __future__ import annotations

from typing import Any

from edgekit.lowering.tvm.adapter import dlight


def schedule_gpu(module: Any, target: Any) -> Any:
    """Binds the loops of a fused module to the threads of a device.

    TVM's rule for products of matrices is left out for Metal: TVM 0.27 dies of it (`docs/upstream.md`).
    """
    gpu = dlight.gpu
    rules = [gpu.GEMV(), gpu.Reduction(), gpu.GeneralReduction(), gpu.Fallback()]
    if target.kind.name != "metal":
        rules.insert(0, gpu.Matmul())
    with target:
        return dlight.ApplyDefaultSchedule(*rules)(module)
