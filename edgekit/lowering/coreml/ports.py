"""Ports of a Core ML program: floats and int32, at least one axis, each output a tensor of its own.

Images and states are ports too: a picture is scaled first, a state is read first and written last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.diagnostics import error
from edgekit.ir import Model, Origin
from edgekit.lowering.coreml.builder import Slot
from edgekit.lowering.coreml.option_types import CoreMlOptions, ImageInput
from edgekit.lowering.coreml.storage import storage
from edgekit.lowering.ledger import Emitted, Subgraph, Value

FLOAT16, FLOAT32, INT32 = (np.dtype(d) for d in (np.float16, np.float32, np.int32))


def check_ports(model: Model) -> None:
    """Refuses a model whose inputs or outputs have no port.

    Raises:
        EdgekitError: EK303 for a dtype, EK305 for a tensor without elements or of unknown rank, EK302
            without inputs.
    """
    if not model.inputs:
        raise error("EK302", "a Core ML model takes at least one input, this one takes none")
    for side, specs in (("input", model.inputs), ("output", model.outputs)):
        for spec in specs:
            if storage(spec.dtype) is None:
                name = "string" if spec.dtype.kind == "O" else spec.dtype.name
                raise error("EK303", f"the {side} `{spec.name}` is {name}, which Core ML has no tensors of")
            if spec.shape is not None and 0 in spec.shape:
                raise error("EK305", f"the {side} `{spec.name}` has no elements, Core ML has no such tensors")
            if side == "input" and spec.shape is not None and len(spec.shape) > 5:
                raise error("EK302", f"the {side} `{spec.name}` has {len(spec.shape)} axes, Core ML takes 5")


@dataclass(frozen=True, slots=True)
class Ported:
    """A graph whose inputs and outputs are ports.

    Attributes:
        main: The graph.
        boxed_inputs: Which inputs are numbers of the source model, kept as one element of rank 1.
        boxed_outputs: The same for outputs.
        inputs: The port of each input of the model, states among them.
        outputs: The port of each output of the model; of one that is kept as a state, the state.
        states: Inputs of the graph that are states.
    """

    main: Subgraph
    boxed_inputs: tuple[bool, ...]
    boxed_outputs: tuple[bool, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    states: frozenset[Value]


def with_ports(
    main: Subgraph, inputs: Sequence[str], outputs: Sequence[str], options: CoreMlOptions
) -> Ported:
    """Puts casts, changes of rank, scaling of pixels and states between ports and the values inside.

    Args:
        main: A complete graph.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        options: Deployment target, images and states.
    """
    work = _Ports(options.ios >= 16, dict(main.names))
    images = {image.name: image for image in options.image_inputs}
    taken = []
    for value, name in zip(main.inputs, inputs, strict=True):
        if name in options.states:
            taken.append(work.read(value, name))
        else:
            taken.append(work.take(value, name, images.get(name)))
    work.ops.extend(main.ops)
    kept = {output: taken[list(inputs).index(name)] for name, output in options.states.items()}
    given = [
        work.write(value, kept[name]) if name in kept else work.give(value, name)
        for value, name in zip(main.outputs, outputs, strict=True)
    ]
    graph = Subgraph(main.name, tuple(work.inputs), tuple(work.outputs), tuple(work.ops), work.names)
    boxed, boxed_outputs = (tuple(v.rank == 0 for v in side) for side in (main.inputs, main.outputs))
    return Ported(graph, boxed, boxed_outputs, tuple(taken), tuple(given), frozenset(kept.values()))


class _Ports:
    def __init__(self, half: bool, names: dict[Value, str]) -> None:
        self.half, self.names = half, names
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.ops: list[Emitted] = []

    def read(self, value: Value, name: str) -> Value:
        """Makes a state, which holds float16, and reads it."""
        state = Value(FLOAT16, value.shape)
        read = value if value.dtype == FLOAT16 else Value(FLOAT16, value.shape)
        self.ops.append(Emitted("read_state", (state,), (read,), {"input": Slot(0)}, Origin()))
        if read is not value:
            self.convert(read, value)
        return self.port(state, value, name)

    def write(self, value: Value, state: Value) -> Value:
        """Writes a value to a state."""
        half = value
        if value.dtype != FLOAT16:
            half = Value(FLOAT16, value.shape)
            self.convert(value, half)
        params = {"state": Slot(0), "value": Slot(1)}
        written = Value(FLOAT16, value.shape)
        self.ops.append(Emitted("coreml_update_state", (state, half), (written,), params, Origin()))
        return state

    def picture(self, value: Value, name: str, image: ImageInput) -> Value:
        """Makes an input of pixels, and scales them in float32."""
        pixel = FLOAT16 if image.colour.endswith("FLOAT16") else FLOAT32
        steps: list[tuple[str, Value | None]] = []
        if pixel != FLOAT32:
            steps.append(("cast", None))
        for op, numbers, neutral in (("mul", image.scale, 1.0), ("add", image.bias, 0.0)):
            if set(numbers) != {neutral}:
                steps.append((op, _by_channel(numbers)))
        if value.dtype != FLOAT32:
            steps.append(("cast", None))
        at = port = Value(pixel, value.shape) if steps else value
        for number, (op, operand) in enumerate(steps, 1):
            result = value if number == len(steps) else Value(FLOAT32, value.shape)
            if operand is None:
                self.convert(at, result)
            else:
                params = {"x": Slot(0), "y": Slot(1)}
                self.ops.append(Emitted(op, (at, operand), (result,), params, Origin()))
            at = result
        return self.port(port, value, name)

    def port(self, port: Value, value: Value, name: str) -> Value:
        """Makes a value an input, which has the name of the value inside."""
        if port is not value:
            self.names.pop(value, None)
        self.names[port] = name
        self.inputs.append(port)
        return port

    def take(self, value: Value, name: str, image: ImageInput | None = None) -> Value:
        """Makes an input, and what is computed on from it."""
        if image is not None:
            return self.picture(value, name, image)
        dtype = self.port_dtype(value)
        inner = value if value.rank else Value(value.dtype, (1,))
        port = inner if inner.dtype == dtype or (dtype == INT32 and value.dtype.kind in "iu") else None
        if port is None:
            port = Value(dtype, inner.shape)
            self.convert(port, inner)
        if inner is not value:
            self.emit("squeeze", port if port is inner else inner, value, axes=[0])
        return self.port(port, value, name)

    def give(self, value: Value, name: str) -> Value:
        """Makes an output of a value."""
        dtype, port = self.port_dtype(value), value
        if value.rank == 0:
            port = Value(value.dtype, (1,))
            self.emit("expand_dims", value, port, axes=[0])
        if port.dtype != dtype and not (dtype == INT32 and value.dtype.kind in "iu"):
            cast = Value(dtype, port.shape)
            self.convert(port, cast)
            port = cast
        if port.data is not None or port in self.inputs or port in self.outputs:
            copy = Value(port.dtype, port.shape)
            self.emit("identity", port, copy)
            port = copy
        if port is not value and self.names.get(value) == name:
            del self.names[value]
        self.names[port] = name
        self.outputs.append(port)
        return port

    def port_dtype(self, value: Value) -> np.dtype[np.generic]:
        if value.dtype == FLOAT16:
            return FLOAT16 if self.half else FLOAT32
        return FLOAT32 if value.dtype == FLOAT32 else INT32

    def convert(self, x: Value, y: Value) -> None:
        kinds = {"float32": "fp32", "float16": "fp16", "bool": "bool"}
        self.emit("cast", x, y, dtype=kinds.get(y.dtype.name, "int32"))

    def emit(self, op: str, x: Value, y: Value, **params: object) -> None:
        self.ops.append(Emitted(op, (x,), (y,), {"x": Slot(0), **params}, Origin()))


def _by_channel(numbers: Sequence[float]) -> Value:
    """A constant; one number where all channels have the same."""
    data = np.asarray(numbers, FLOAT32).reshape(1, -1, 1, 1)
    data = data[:, :1] if len(set(numbers)) == 1 else data
    return Value(FLOAT32, data.shape, data)
