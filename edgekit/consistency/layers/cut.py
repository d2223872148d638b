"""Cuts a TFLite graph into its layers and lays them side by side, each with inputs of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from edgekit.consistency.layers.stage import Stage
from edgekit.ir.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.dialect import DIALECT
from edgekit.lowering.tflite.emit import Signature, emit
from edgekit.runners import Array


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Ops between tensors that the hub has too; mostly one op.

    Attributes:
        ops: The ops, as the file has them.
        inputs: Their operands that the hub has, in order.
        output: The tensor of the file that they compute.
    """

    ops: tuple[Emitted, ...]
    inputs: tuple[Value, ...]
    output: Value

    @property
    def name(self) -> str:
        """The ops' names, the first of which reads the inputs."""
        return " + ".join(op.op for op in self.ops)


def layers_of(stage: Stage) -> tuple[Layer, ...]:
    """Returns the layers that give integers or reals which the hub has too, in the file's order.

    A layer with an op that our writer does not know, or whose operands the hub does not have, is left out.
    """
    makers = {v: op for op in stage.graph.ops for v in op.outputs}
    order = {op: i for i, op in enumerate(stage.graph.ops)}
    found = []
    for op in stage.graph.ops:
        for output in op.outputs:
            layer = _layer(stage, makers, order, output) if output in stage.places else None
            if layer is not None:
                found.append(layer)
    return tuple(found)


def _layer(
    stage: Stage, makers: Mapping[Value, Emitted], order: Mapping[Emitted, int], output: Value
) -> Layer | None:
    ops: dict[Emitted, None] = {}
    inputs: dict[Value, None] = {}
    waiting = [makers[output]]
    while waiting:
        op = waiting.pop()
        if op in ops:
            continue
        if op.op not in DIALECT:
            return None
        ops[op] = None
        for value in op.inputs:
            if value is None or value.data is not None:
                continue
            if value in stage.places:
                inputs[value] = None
            elif value in makers:
                waiting.append(makers[value])
            else:
                return None
    return Layer(tuple(sorted(ops, key=order.__getitem__)), tuple(inputs), output)


def uncovered(stage: Stage, layers: Iterable[Layer]) -> tuple[str, ...]:
    """Returns the names of the ops that no layer holds."""
    held = {op for layer in layers for op in layer.ops}
    return tuple(dict.fromkeys(op.op for op in stage.graph.ops if op not in held))


@dataclass(frozen=True, slots=True)
class Bench:
    """All layers in one file, side by side.

    Attributes:
        payload: The file.
        inputs: The name of the input for each tensor that layers read.
        outputs: The name of the output for each layer.
    """

    payload: bytes
    inputs: Mapping[Value, str]
    outputs: Mapping[Layer, str]


def side_by_side(layers: tuple[Layer, ...], arrays: Mapping[Value, Array]) -> Bench:
    """Writes a file in which every layer reads inputs of its own.

    Args:
        layers: The layers.
        arrays: A value for each tensor that layers read or give: their sizes become static.

    Returns:
        The file, whose layers do not see what others compute.
    """
    given = {
        value: replace(value, shape=arrays[value].shape)
        for value in dict.fromkeys(v for layer in layers for v in layer.inputs)
    }
    ops: list[Emitted] = []
    results: dict[Layer, Value] = {}
    for layer in layers:
        inside = dict(given)
        for op in layer.ops:
            made = tuple(_result(v, arrays if v is layer.output else {}) for v in op.outputs)
            inputs = tuple(None if v is None else inside.get(v, v) for v in op.inputs)
            ops.append(Emitted(op.op, inputs, made, _written(op)))
            inside.update(zip(op.outputs, made, strict=True))
        results[layer] = inside[layer.output]
    graph = Subgraph("layers", tuple(given.values()), tuple(results.values()), tuple(ops), {})
    names = {value: f"i{n}" for n, value in enumerate(given)}
    outputs = {layer: f"o{n}" for n, layer in enumerate(results)}
    _, payload = emit(graph, Signature(tuple(names.values()), tuple(outputs.values())))
    return Bench(payload, names, outputs)


def _result(value: Value, arrays: Mapping[Value, Array]) -> Value:
    return replace(value, shape=arrays[value].shape) if value in arrays else replace(value)


def _written(op: Emitted) -> Mapping[str, object]:
    """Options in a form that the writer takes; those at their defaults of another schema are none."""
    return op.attrs if DIALECT[op.op].options is not None else {}
