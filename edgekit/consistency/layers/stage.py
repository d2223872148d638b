"""The TFLite side of a comparison layer by layer: a file and where it keeps the hub's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.artifact import Artifact
from edgekit.ir import Model, Origin
from edgekit.ir.ledger import Subgraph, Value
from edgekit.runners import Array
from edgekit.tflite.reader import read_tflite


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file's tensor is found among the hub's.

    Attributes:
        name: The hub's name.
        perm: `file_tensor = hub_tensor.transpose(perm)`; `None` where nothing is permuted.
        shift: What the hub's integers are more than the file's.
    """

    name: str
    perm: tuple[int, ...] | None = None
    shift: int = 0

    def of_file(self, array: Array, dtype: np.dtype[np.generic]) -> Array:
        """Brings a tensor of the hub into the form of the file's."""
        ordered = array if self.perm is None else array.transpose(self.perm)
        if self.shift:
            ordered = ordered.astype(np.int32) - self.shift
        return np.ascontiguousarray(ordered, dtype)


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
    def of_artifact(cls, artifact: Artifact) -> Stage:
        """Returns the graph of a TFLite artifact.

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
        places = {
            values[b.tensor]: Place(name, b.perm, b.shift) for name, b in bound.items() if b.tensor in values
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
        places = {value: Place(name) for value, name in main.names.items() if name in known}
        origins = {
            op.outputs[0]: Origin((f"{op.op}#{i}",), main.names.get(op.outputs[0]))
            for i, op in enumerate(main.ops)
            if op.outputs
        }
        return cls(main, places, origins)

    @property
    def is_quantised(self) -> bool:
        """Whether an op computes on integers that stand for reals."""
        return any(v.quant is not None and v.data is None for op in self.graph.ops for v in op.outputs)
