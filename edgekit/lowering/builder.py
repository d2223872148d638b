"""`LedgerBuilder`: collects emitted ops; each backend's builder adds its convenience on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import Origin, Quant
from edgekit.lowering.ledger import Emitted, Shape, Subgraph, Value
from edgekit.lowering.table import LoweringTable


class LedgerBuilder:
    """Collects the ops of one graph; the driver sets `origin` before each node.

    Attributes:
        table: The backend's lowerings.
        origin: Stamped on every op that is emitted.
        ops: What was emitted so far.
        names: Names of source values, by backend value.
    """

    table: ClassVar[LoweringTable]

    def __init__(self) -> None:
        self.origin = Origin()
        self.ops: list[Emitted] = []
        self.names: dict[Value, str] = {}

    def child(self) -> Self:
        """Returns an empty builder for a nested graph."""
        return type(self)()

    def value(self, dtype: Any, shape: Shape, quant: Quant | None = None) -> Value:
        """Makes a value that an op or the caller will define."""
        return Value(np.dtype(dtype), tuple(shape), None, quant)

    def const(self, data: Any, dtype: Any = None, quant: Quant | None = None) -> Value:
        """Makes a constant; the array is not copied."""
        array: NDArray[Any] = np.asarray(data) if dtype is None else np.asarray(data, dtype)
        return Value(array.dtype, array.shape, array, quant)

    def append(
        self,
        op: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Records an op whose results are given."""
        self.ops.append(Emitted(op, tuple(inputs), tuple(outputs), dict(attrs or {}), self.origin))

    def finish(self, name: str, inputs: Sequence[Value], outputs: Sequence[Value]) -> Subgraph:
        """Returns the graph, without ops that no output needs."""
        return Subgraph(name, tuple(inputs), tuple(outputs), _live(self.ops, outputs), dict(self.names))


def _live(ops: Sequence[Emitted], outputs: Sequence[Value]) -> tuple[Emitted, ...]:
    needed = set(outputs)
    kept: list[Emitted] = []
    for op in reversed(ops):
        if needed.isdisjoint(op.outputs):
            continue
        kept.append(op)
        needed.update(v for v in op.inputs if v is not None)
    return tuple(reversed(kept))
