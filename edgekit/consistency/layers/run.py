"""Runs every layer of a TFLite graph on the hub's own integers and compares with the hub's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.consistency.layers.cut import Layer, layers_of, side_by_side
from edgekit.consistency.layers.stage import Stage
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.samples import Sample
from edgekit.ir import Model
from edgekit.ir.ledger import Value
from edgekit.runners import Array, runner_for

SAMPLES = 8
"""How many samples at most: every one gives all elements of all layers."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One layer on one sample.

    Attributes:
        inputs: The operands, the hub's integers, in the file's layout.
        wanted: What the hub gives.
        got: What the layer gives.
        exact: What the hub rounded to `wanted`, in steps; `None` where it is not known.
    """

    inputs: Mapping[Value, Array]
    wanted: Array
    got: Array
    exact: NDArray[np.float64] | None = None


def run_layers(
    model: Model,
    stage: Stage,
    samples: Sequence[Sample],
    *,
    isolate: bool = True,
    timeout_s: float = 300.0,
    kernels: str = "default",
) -> dict[Layer, list[Trial]]:
    """Runs every layer alone.

    Args:
        model: The hub model, which ONNX Runtime runs.
        stage: The TFLite graph and its tensors that the hub has.
        samples: Inputs of the model, by name.
        isolate: Run in child processes.
        timeout_s: Longest time for one inference, in seconds.
        kernels: Which kernels of LiteRT: `default`, `builtin` or `reference`.

    Returns:
        The trials by layer, one for each sample.

    Raises:
        EdgekitError: EK502, EK503 or EK504 if a runtime does not run the layers.
    """
    layers = layers_of(stage)
    trials: dict[Layer, list[Trial]] = {layer: [] for layer in layers}
    if not layers:
        return trials
    with (
        Oracle(model, isolate=isolate, timeout_s=timeout_s, hub=True) as hub,
        runner_for("tflite", isolate=isolate, timeout_s=timeout_s, kernels=kernels) as runner,
    ):
        for sample in samples[:SAMPLES]:
            arrays, exact = _arrays(stage, layers, hub, sample)
            ready = tuple(layer for layer in layers if {*layer.inputs, layer.output} <= set(arrays))
            bench = side_by_side(ready, arrays)
            found = runner.run(bench.payload, {name: arrays[v] for v, name in bench.inputs.items()})
            for layer, name in bench.outputs.items():
                inputs = {v: arrays[v] for v in layer.inputs}
                of_hub = arrays[layer.output]
                trials[layer].append(Trial(inputs, of_hub, found[name], exact.get(layer.output)))
    return trials


def _arrays(
    stage: Stage, layers: Sequence[Layer], hub: Oracle, sample: Sample
) -> tuple[dict[Value, Array], dict[Value, NDArray[np.float64]]]:
    """Returns the hub's values at the ends of layers in the file's form, and what it rounded."""
    values = dict.fromkeys(v for layer in layers for v in (*layer.inputs, layer.output))
    places = {value: stage.places[value] for value in values}
    names = [p.name for p in places.values()] + [p.grid.reals for p in places.values() if p.grid is not None]
    inside = {**sample, **hub.run(sample, [n for n in dict.fromkeys(names) if n not in sample])}
    arrays = {v: p.of_file(inside[p.name], v.dtype) for v, p in places.items() if p.name in inside}
    exact = {
        v: p.exact(inside[p.grid.reals], v.dtype)
        for v, p in places.items()
        if p.grid is not None and p.grid.reals in inside and v.dtype.kind in "iu"
    }
    return arrays, {v: steps for v, steps in exact.items() if steps is not None}
