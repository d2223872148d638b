"""The TFLite side of a comparison layer by layer: a file and where it keeps the hub's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Artifact
from edgekit.consistency.original import quant_of
from edgekit.ir import Model, Origin, Quant
from edgekit.ir.ledger import Subgraph, Value
from edgekit.runners import Array
from edgekit.tflite.reader import read_tflite

_SLACK = 1e-6
"""Relative: scales this close are one scale."""


@dataclass(frozen=True, slots=True)
class Grid:
    """QuantizeLinear of the hub.

    Attributes:
        reals: The name of its operand.
        quant: Its one scale and zero point.
    """

    reals: str
    quant: Quant


def _grids(model: Model) -> dict[str, Grid]:
    """Returns every QuantizeLinear with one constant scale, by the name of its result."""
    found: dict[str, Grid] = {}
    for node in model.ir.graph:
        quant = quant_of(node) if node.op_type == "QuantizeLinear" and not node.domain else None
        value, result = (node.inputs[0], node.outputs[0].name) if quant is not None else (None, None)
        if quant is not None and value is not None and value.name and result:
            found[result] = Grid(value.name, quant)
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file's tensor is found among the hub's.

    Attributes:
        name: The hub's name.
        perm: `file_tensor = hub_tensor.transpose(perm)`; `None` where nothing is permuted.
        shift: What the hub's integers are more than the file's.
        grid: How the hub rounds reals to the tensor, where it does.
    """

    name: str
    perm: tuple[int, ...] | None = None
    shift: int = 0
    grid: Grid | None = None

    def of_file(self, array: Array, dtype: np.dtype[Any]) -> Array:
        """Brings a tensor of the hub into the form of the file's."""
        ordered = array if self.perm is None else array.transpose(self.perm)
        if self.shift:
            ordered = ordered.astype(np.int32) - self.shift
        return np.ascontiguousarray(ordered, dtype)

    def exact(self, reals: Array, dtype: np.dtype[Any]) -> NDArray[np.float64] | None:
        """Returns what the reals are in steps of the file's tensor, before they are rounded.

        Args:
            reals: The hub's tensor `grid.reals`.
            dtype: Of the file's tensor; what lies beyond saturates.
        """
        if self.grid is None:
            return None
        quant, info = self.grid.quant, np.iinfo(dtype)
        ordered = reals if self.perm is None else reals.transpose(self.perm)
        steps = ordered.astype(np.float64) / quant.scale[0] + quant.zero_point[0] - self.shift
        return np.clip(steps, info.min, info.max)

    def fits(self, quant: Quant | None) -> bool:
        """Tells whether the file's tensor has the hub's scale and zero point."""
        if self.grid is None or quant is None:
            return True
        wanted = self.grid.quant
        same_zero = quant.zero_point[0] == wanted.zero_point[0] - self.shift
        return same_zero and abs(quant.scale[0] - wanted.scale[0]) <= _SLACK * wanted.scale[0]


@dataclass(frozen=True, slots=True)
class Stage:
    """A TFLite graph with its tensors that the hub has too.

    Attributes:
        graph: The file's main graph.
        places: Where its tensors are found in the hub, by tensor.
        origins: The source nodes behind the results of its ops.
    """

    graph: Subgraph
    places: Mapping[Value, Place]
    origins: Mapping[Value, Origin]

    @classmethod
    def of_artifact(cls, model: Model, artifact: Artifact) -> Stage:
        """Returns the graph of a TFLite artifact and its tensors that the hub model has.

        Raises:
            EdgekitError: EK113 if its file is damaged.
        """
        main = read_tflite(artifact.model_file.payload).main
        values = {name: value for value, name in main.names.items()}
        bound = dict(artifact.tensor_map)
        pairs = (
            *zip(artifact.inputs, artifact.input_bindings, strict=True),
            *zip(artifact.outputs, artifact.output_bindings, strict=True),
        )
        bound |= {spec.name: binding for spec, binding in pairs if binding.quant is None}
        grids = _grids(model)
        places = {
            values[b.tensor]: Place(name, b.perm, b.shift, grids.get(name))
            for name, b in bound.items()
            if b.tensor in values
        }
        origins = {values[name]: o for name, o in artifact.origins.items() if name in values}
        return cls(main, places, origins)

    @classmethod
    def of_source(cls, model: Model) -> Stage:
        """Returns the graph of the TFLite file that a model was imported from, whose names it keeps.

        Raises:
            EdgekitError: EK101 or EK113 if the file cannot be read any more.
        """
        assert model.path is not None
        main = read_tflite(model.path).main
        known = {v.name for node in model.ir.graph for v in node.outputs} | {s.name for s in model.inputs}
        grids = _grids(model)
        places = {v: Place(name, grid=grids.get(name)) for v, name in main.names.items() if name in known}
        origins = {
            op.outputs[0]: Origin((f"{op.op}#{i}",), main.names.get(op.outputs[0]))
            for i, op in enumerate(main.ops)
            if op.outputs
        }
        return cls(main, places, origins)

    def misfits(self) -> tuple[str, ...]:
        """Returns the names of tensors whose scale or zero point is not the hub's."""
        return tuple(place.name for value, place in self.places.items() if not place.fits(value.quant))

    @property
    def is_quantised(self) -> bool:
        """Whether an op computes on integers that stand for reals."""
        return any(v.quant is not None and v.data is None for op in self.graph.ops for v in op.outputs)
