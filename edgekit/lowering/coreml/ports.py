"""Ports of a Core ML program: floats and int32, at least one axis, each output a tensor of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.diagnostics import error
from edgekit.ir import Model, Origin
from edgekit.lowering.coreml.builder import Slot
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
    """

    main: Subgraph
    boxed_inputs: tuple[bool, ...]
    boxed_outputs: tuple[bool, ...]


def with_ports(main: Subgraph, inputs: Sequence[str], outputs: Sequence[str], *, half: bool) -> Ported:
    """Puts casts and changes of rank between ports and the values inside.

    Args:
        main: A complete graph.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        half: Whether ports of float16 exist (iOS 16 and later).
    """
    work = _Ports(half, dict(main.names))
    for value, name in zip(main.inputs, inputs, strict=True):
        work.take(value, name)
    work.ops.extend(main.ops)
    for value, name in zip(main.outputs, outputs, strict=True):
        work.give(value, name)
    graph = Subgraph(main.name, tuple(work.inputs), tuple(work.outputs), tuple(work.ops), work.names)
    return Ported(graph, tuple(v.rank == 0 for v in main.inputs), tuple(v.rank == 0 for v in main.outputs))


class _Ports:
    def __init__(self, half: bool, names: dict[Value, str]) -> None:
        self.half, self.names = half, names
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.ops: list[Emitted] = []

    def take(self, value: Value, name: str) -> None:
        dtype = self.port_dtype(value)
        inner = value if value.rank else Value(value.dtype, (1,))
        port = inner if inner.dtype == dtype or (dtype == INT32 and value.dtype.kind in "iu") else None
        if port is None:
            port = Value(dtype, inner.shape)
            self.convert(port, inner)
        if inner is not value:
            self.emit("squeeze", port if port is inner else inner, value, axes=[0])
        if port is not value:
            self.names.pop(value, None)
        self.names[port] = name
        self.inputs.append(port)

    def give(self, value: Value, name: str) -> None:
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

    def port_dtype(self, value: Value) -> np.dtype[np.generic]:
        if value.dtype == FLOAT16:
            return FLOAT16 if self.half else FLOAT32
        return FLOAT32 if value.dtype == FLOAT32 else INT32

    def convert(self, x: Value, y: Value) -> None:
        kinds = {"float32": "fp32", "float16": "fp16", "bool": "bool"}
        self.emit("cast", x, y, dtype=kinds.get(y.dtype.name, "int32"))

    def emit(self, op: str, x: Value, y: Value, **params: object) -> None:
        self.ops.append(Emitted(op, (x,), (y,), {"x": Slot(0), **params}, Origin()))
