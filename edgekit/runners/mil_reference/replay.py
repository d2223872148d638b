"""Replays each op of a float32 program in float16, on the float32 values: how much that op alone loses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.runners.base import Array
from edgekit.runners.mil_reference.call import call
from edgekit.runners.mil_reference.model import MilModel
from edgekit.runners.mil_reference.program import Constant, Op, Reference
from edgekit.runners.mil_reference.refusal import Refusal
from edgekit.runners.mil_reference.table import TABLE
from edgekit.runners.mil_reference.types import Runtime

_APART = ("const", "cast", "identity", "cond", "while_loop", "read_state", "write_state", "classify")
"""Ops that compute nothing themselves, or hold graphs."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What an op loses, as a fraction of its result's range; infinite where float16 overflows.

    Attributes:
        computed: When it is computed in float16.
        operands: When it is computed in float32 on operands that were float16.
    """

    computed: float
    operands: float


def half_losses(model: MilModel, samples: Iterable[Mapping[str, Array]]) -> dict[str, Loss]:
    """Returns what each op loses in float16.

    Args:
        model: A program in float32.
        samples: Inputs of the program.

    Returns:
        The largest loss by name of the op. Ops without a result of floats are absent.
    """
    losses: dict[str, Loss] = {}
    for sample in samples:
        values = model.values(sample)
        for op in model.function.block.ops:
            if op.type not in _APART and not op.type.startswith("constexpr_"):
                found = _losses(op, values, model.function.ios)
                if found is not None:
                    old = losses.get(op.name, Loss(0.0, 0.0))
                    losses[op.name] = Loss(
                        max(old.computed, found.computed), max(old.operands, found.operands)
                    )
    return losses


def producers(model: MilModel) -> dict[str, tuple[str, ...]]:
    """Returns which values each op takes, by the op's name."""
    return {
        op.name: tuple(a.name for given in op.inputs.values() for a in given if isinstance(a, Reference))
        for op in model.function.block.ops
    }


def _losses(op: Op, values: Mapping[str, Runtime], ios: int) -> Loss | None:
    exact = [values.get(o.name) for o in op.outputs]
    row = TABLE.find(op.type, ios)
    if row is None or not any(isinstance(v, np.ndarray) and v.dtype == np.float32 for v in exact):
        return None
    given = {
        name: [_halved(a.value if isinstance(a, Constant) else values[a.name]) for a in arguments]
        for name, arguments in op.inputs.items()
    }
    wide = {name: [_widened(v) for v in arguments] for name, arguments in given.items()}
    try:
        return Loss(_largest(exact, call(row, given)), _largest(exact, call(row, wide)))
    except Refusal:
        return None  # what float16 makes of the arguments is none that the op takes


def _largest(exact: Sequence[Runtime | None], results: Sequence[Runtime]) -> float:
    pairs = [(a, np.asarray(b)) for a, b in zip(exact, results, strict=True) if isinstance(a, np.ndarray)]
    return max((_loss(a, b) for a, b in pairs if a.dtype == np.float32), default=0.0)


def _widened(value: Runtime) -> Runtime:
    is_half = isinstance(value, np.ndarray) and value.dtype == np.float16
    return value.astype(np.float32) if is_half else value  # type: ignore[union-attr]


def _halved(value: Runtime) -> Runtime:
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        with np.errstate(over="ignore"):
            return value.astype(np.float16)
    return value


def _loss(exact: Array, found: Array) -> float:
    wide = exact.astype(np.float64)
    finite = np.isfinite(wide)
    if not finite.any():
        return 0.0
    if not np.isfinite(found[finite]).all():
        return float("inf")
    span = float(np.ptp(wide[finite])) or float(np.abs(wide[finite]).max()) or 1.0
    return float(np.abs(wide[finite] - found[finite].astype(np.float64)).max() / span)
