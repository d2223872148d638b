"""Runs every layer of a TFLite graph on the hub's own integers and compares with the hub's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """

    inputs: Mapping[Value, Array]
    wanted: Array
    got: Array


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
            arrays = _arrays(stage, layers, hub, sample)
            ready = tuple(layer for layer in layers if {*layer.inputs, layer.output} <= set(arrays))
            bench = side_by_side(ready, arrays)
            found = runner.run(bench.payload, {name: arrays[v] for v, name in bench.inputs.items()})
            for layer, name in bench.outputs.items():
                inputs = {v: arrays[v] for v in layer.inputs}
                trials[layer].append(Trial(inputs, arrays[layer.output], found[name]))
    return trials


def _arrays(stage: Stage, layers: Sequence[Layer], hub: Oracle, sample: Sample) -> dict[Value, Array]:
    """Returns the hub's values of all tensors at the ends of layers, in the file's form."""
    values = dict.fromkeys(v for layer in layers for v in (*layer.inputs, layer.output))
    names = [stage.places[v].name for v in values]
    inside = {**sample, **hub.run(sample, [n for n in names if n not in sample])}
    return {
        value: stage.places[value].of_file(inside[name], value.dtype)
        for value, name in zip(values, names, strict=True)
        if name in inside
    }
