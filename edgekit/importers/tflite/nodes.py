"""`Nodes`: makes typed constants and nodes of the hub graph under construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.ir import Origin, set_origin
from edgekit.ir.ledger import Value

OPSET = 21
"""The first with DequantizeLinear of int16, and one that every runtime of ours executes."""


class Nodes:
    """The nodes and initializers so far.

    Attributes:
        made: Nodes in order.
        held: Initializers by name.
        origin: Stamped on every node from now on.
    """

    def __init__(self) -> None:
        self.made: list[ir.Node] = []
        self.held: dict[str, ir.Value] = {}
        self.origin = Origin()
        self._names: set[str] = set()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def name(self, wanted: str) -> str:
        """Returns the name wished for, or one like it that is free."""
        unique, count = wanted, 1
        while unique in self._names:
            unique, count = f"{wanted}_{count}", count + 1
        self._names.add(unique)
        return unique

    def op(self, kind: str, inputs: Sequence[ir.Value | None], outputs: int, **attrs: Any) -> list[ir.Value]:
        """Makes a node of the default domain; attributes that are `None` are left out."""
        present = {k: v for k, v in attrs.items() if v is not None}
        node = ir.node(kind, list(inputs), present or None, num_outputs=outputs)
        prefix = self.origin.nodes[0] if self.origin.nodes else "graph"
        node.name = self.name(f"{prefix}:{kind}")
        for value in node.outputs:
            value.name = self.name(f"{node.name}.out")
        set_origin(node, self.origin)
        self.made.append(node)
        return list(node.outputs)

    def const(self, data: Any, dtype: Any = None, name: str | None = None) -> ir.Value:
        """Makes an initializer; equal ones without a name of their own are one."""
        array = np.array(data, dtype, order="C")
        key = (array.dtype.name, array.shape, array.tobytes()) if name is None and array.size <= 64 else None
        if key is not None and key in self._constants:
            return self._constants[key]
        value = self._initializer(array, self.name(name or "constant"))
        if key is not None:
            self._constants[key] = value
        return value

    def _initializer(self, array: NDArray[Any], name: str) -> ir.Value:
        tensor = ir.Tensor(array, name=name)
        shape, kind = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
        value = ir.Value(name=name, type=kind, shape=shape, const_value=tensor)
        self.held[name] = value
        return value

    def input(self, value: Value, name: str, sizes: Sequence[int | str | None]) -> ir.Value:
        """Makes a graph input of a tensor's dtype."""
        kind = ir.TensorType(ir.DataType.from_numpy(value.dtype))
        return ir.Value(name=self.name(name), type=kind, shape=ir.Shape(sizes))
