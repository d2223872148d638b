"""Counts how many steps each layer is off, and looks for the rounding rule that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import LayerDelta
from edgekit.consistency.layers.cut import Layer
from edgekit.consistency.layers.moved import MOVEMENTS, moved
from edgekit.consistency.layers.rules.table import RULES, Case, load_rules
from edgekit.consistency.layers.run import Trial
from edgekit.consistency.layers.stage import Stage
from edgekit.ir import Origin
from edgekit.ir.ledger import Emitted
from edgekit.runners import Array

NEAR = 1e-4
"""Fraction of the largest real up to which reals count as equal."""

TRUSTED = 0.999
"""Fraction of all elements of a layer that a rule must give exactly."""


def compare_layers(stage: Stage, trials: Mapping[Layer, Sequence[Trial]]) -> tuple[LayerDelta, ...]:
    """Compares every layer that was run.

    Args:
        stage: The TFLite graph.
        trials: As `run_layers` returned.

    Returns:
        One entry per layer, in the file's order.
    """
    load_rules()
    return tuple(_delta(stage, layer, runs) for layer, runs in trials.items() if runs)


def _delta(stage: Stage, layer: Layer, runs: Sequence[Trial]) -> LayerDelta:
    steps = [_steps(run) for run in runs]
    one, more = (sum(int(np.count_nonzero(s >= n)) for s in steps) for n in (1, 2))
    one -= more
    rule, predicted = _explained(layer, runs) if one or more else (None, 0)
    origin = stage.origins.get(layer.output, Origin())
    return LayerDelta(
        tensor=stage.places[layer.output].name,
        op=layer.name,
        origin=origin,
        elements=sum(s.size for s in steps),
        one=one,
        more=more,
        largest=max(int(s.max(initial=0)) for s in steps) if runs[0].wanted.dtype.kind in "iu" else 0,
        farthest=_farthest(runs),
        rule=rule,
        predicted=predicted,
        constant=any(_has_weights(op) for op in layer.ops),
    )


def _has_weights(op: Emitted) -> bool:
    """Tells whether an op has constants that stand for reals."""
    return any(v is not None and v.data is not None and v.quant is not None for v in op.inputs)


def _farthest(runs: Sequence[Trial]) -> float | None:
    """Returns how far a differing element is from the real before it was rounded, in steps."""
    found: list[float] = []
    for run in runs:
        differs = run.got != run.wanted
        if not differs.any():
            continue
        if run.exact is None or run.exact.shape != run.got.shape:
            return None
        found.append(float(np.abs(run.got.astype(np.float64) - run.exact)[differs].max()))
    return max(found, default=None)


def _steps(run: Trial) -> NDArray[np.int64]:
    """Returns how many steps each element is off; of reals 2 where it is beyond `NEAR`."""
    if run.wanted.dtype.kind != "f":
        return np.abs(run.wanted.astype(np.int64) - run.got.astype(np.int64))
    wanted = run.wanted.astype(np.float64)
    room = NEAR * float(np.abs(wanted).max(initial=0))
    return np.where(np.abs(run.got - wanted) > room, 2, 0)


def _explained(layer: Layer, runs: Sequence[Trial]) -> tuple[str | None, int]:
    """Returns the rule that predicts the most of the elements that differ, and how many.

    A rule is believed only if it gives nearly all elements of the layer, those that agree included.
    """
    *before, op = layer.ops
    if any(o.op not in MOVEMENTS for o in before):
        return None, 0
    cases = [Case(op, moved(before, run.inputs)) for run in runs]
    found: tuple[str | None, int] = (None, 0)
    for rule in RULES.get(op.op, ()):
        counts = [_hits(rule.predict(case), run) for case, run in zip(cases, runs, strict=True)]
        differing, same, elements = (sum(column) for column in zip(*counts, strict=True))
        if differing > found[1] and same >= TRUSTED * elements:
            found = rule.name, differing
    return found


def _hits(made: Array | None, run: Trial) -> tuple[int, int, int]:
    """Returns how many differing elements, and how many of all, a prediction gives; and their number."""
    if made is None or made.shape != run.got.shape:
        return 0, 0, run.got.size
    hit = made == run.got
    return int(np.count_nonzero(hit & (run.got != run.wanted))), int(np.count_nonzero(hit)), hit.size
