"""Which layers cost how much: estimated for all in one run, measured for the worst by leaving them in float.

The estimate of a layer is the noise that rounding its weights, or the activations that it reads, adds to its
own result while all else is float, relative to the result: the mean over channels of noise power by signal
power, at most 1 for a channel. That noise of layers adds up, and that the rest of the model passes it on as
it is, is the assumption; so the layers with the highest estimates are each kept in float once, and what the
outputs gain is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edgekit.consistency.oracle import Oracle
from edgekit.consistency.trial import Bench, Choice, Trial
from edgekit.diagnostics import EdgekitError
from edgekit.ir import origin_of
from edgekit.lowering.onnx.emit import executable
from edgekit.quantize.instrument import Probe, instrument
from edgekit.runners import Array

PROBED = 8
"""Samples that the estimate runs at most."""
CONFIRMED = 4
"""Layers that are left out, each in a run of its own."""
NEAR = 0.1
"""Part of a layer's worst noise from which another kind of rounding of it must go too."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What quantising one layer costs.

    Attributes:
        node: Its name in the prepared model.
        op: Its op.
        scope: The framework's scope.
        file: Source file of the model's code.
        line: Line in it.
        weights: Estimated noise of its weights, relative to its result; `None` if they are not rounded.
        activations: Estimated noise of what it reads (or of its result, where that is an output).
        keep: The nodes that are in float when all that matters of it is.
        drop: Measured: what the model loses with those in float; `None` if it was not measured.
        noise: Measured: the share of noise in the outputs then.
    """

    node: str
    op: str
    scope: str | None
    file: str | None
    line: int | None
    weights: float | None
    activations: float | None
    keep: tuple[str, ...]
    drop: float | None = None
    noise: float | None = None

    @property
    def estimate(self) -> float:
        """The larger noise of the two."""
        return max(self.weights or 0.0, self.activations or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def rank(bench: Bench, choice: Choice, *, confirm: int = CONFIRMED) -> tuple[Layer, ...]:
    """Ranks the layers that a choice quantises, the costliest first.

    Args:
        bench: The model and its samples.
        choice: How it is quantised.
        confirm: How many of the highest estimates are measured.

    Returns:
        Measured layers by what the outputs gain, then the others by their estimates.

    Raises:
        EdgekitError: As `Bench.tried`.
    """
    estimated = sorted(_estimates(bench, choice), key=lambda layer: -layer.estimate)
    measured: dict[frozenset[str], Trial | None] = {}
    for layer in estimated:
        kept = choice.keep | frozenset(layer.keep)
        if kept not in measured and len(measured) < confirm:
            measured[kept] = _without(bench, choice.keeping(frozenset(layer.keep)))
    layers = [_with(layer, measured.get(choice.keep | frozenset(layer.keep))) for layer in estimated]
    return tuple(sorted(layers, key=_order))


def _order(layer: Layer) -> tuple[bool, float, float, float]:
    if layer.drop is None or layer.noise is None:
        return (True, 0.0, 0.0, -layer.estimate)
    return (False, layer.drop, layer.noise, -layer.estimate)


def _with(layer: Layer, trial: Trial | None) -> Layer:
    return layer if trial is None else replace(layer, drop=trial.drop, noise=trial.noise)


def _without(bench: Bench, choice: Choice) -> Trial | None:
    try:
        return bench.tried(choice)
    except EdgekitError as problem:
        if problem.diagnostics[0].code != "EK403":
            raise
        return None  # nothing else is quantised: no way to keep it


def _estimates(bench: Bench, choice: Choice) -> list[Layer]:
    plain, quantised = bench.quantised(choice)
    model, probes = instrument(plain, quantised, choice.wish.scheme)
    if not probes:
        return []
    powers: dict[str, Array] = {}
    bench.runs += 1
    with Oracle(executable(model), isolate=True, timeout_s=300.0) as oracle:
        for sample in bench.data.fit[:PROBED]:
            for name, value in oracle.run(sample).items():
                powers[name] = powers.get(name, 0.0) + np.asarray(value, np.float64)
    nodes = {n.name: n for n in plain.ir.graph}
    found: dict[str, list[tuple[Probe, float]]] = {}
    for probe in probes:
        found.setdefault(probe.node, []).append((probe, _relative(powers, probe)))
    return [_layer(nodes[name], held) for name, held in found.items()]


def _relative(powers: Mapping[str, Array], probe: Probe) -> float:
    noise, signal = np.atleast_1d(powers[probe.noise]), np.atleast_1d(powers[probe.signal])
    live = signal > 0
    return float(np.minimum(noise[live] / signal[live], 1).mean()) if live.any() else 0.0


def _layer(node: Any, held: Sequence[tuple[Probe, float]]) -> Layer:
    limit = NEAR * max(noise for _, noise in held)
    keep = frozenset[str]().union(*(probe.keep for probe, noise in held if noise >= limit))
    origin = origin_of(node)
    parts = {
        kind: max((noise for probe, noise in held if probe.kind == kind), default=None)
        for kind in ("weights", "activations")
    }
    return Layer(
        node.name,
        node.op_type,
        origin.scope,
        origin.file,
        origin.line,
        parts["weights"],
        parts["activations"],
        tuple(sorted(keep)),
    )
