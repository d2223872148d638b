"""`Source`: a loaded model as one function from tensors to tensors, whatever it was stored as."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edgekit.importers.keras_child.rnn import Recurrence


@dataclass(frozen=True, slots=True)
class End:
    """An input or output of the graph.

    Attributes:
        name: Its name in the source model.
        tensor: Its name in the graph.
        dtype: A TensorFlow dtype.
        dims: Sizes, `None` where unknown; `None` in all for unknown rank.
    """

    name: str
    tensor: str
    dtype: Any
    dims: tuple[int | None, ...] | None

    @classmethod
    def of(cls, name: str, tensor: Any) -> End:
        """Returns the end that a symbolic tensor is."""
        dims = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
        return cls(name, tensor.name, tensor.dtype, dims)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A graph without variables.

    Attributes:
        graph_def: The `GraphDef`; large constants have no contents.
        inputs: The inputs, in order.
        outputs: The outputs, in order.
        weights: The contents of large constants, by node name.
        scopes: TensorFlow name scope to path of the layer that ran in it.
        recurrences: What the markers of recurrent layers in the graph stand for.
    """

    graph_def: Any
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    weights: Mapping[str, bytes] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    recurrences: Sequence[Recurrence] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A model ready to be traced.

    Attributes:
        name: The model's own name.
        loader: What loaded it, with its version.
        call: Takes the inputs in order, returns the flat list of outputs.
        inputs: `tf.TensorSpec` of each input, named as in the source model.
        outputs: Names of the outputs, in order.
        batched: Whether axis 0 of every input and output is the batch.
        model: The Keras model behind `call`; `None` when only a graph is known.
        package: The module `keras` or `tf_keras` that the model belongs to.
        layers: Names of the layers, where there is no `model` to ask.
        frozen: The graph behind `call`, where it has no variables from the start.
    """

    name: str
    loader: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    outputs: tuple[str, ...]
    batched: bool = True
    model: Any = None
    package: Any = None
    layers: frozenset[str] = frozenset()
    frozen: Frozen | None = None

    def renamed(self, inputs: Sequence[str], outputs: Sequence[str], layers: Sequence[str]) -> Source:
        """Returns the model with other names; an empty sequence changes nothing."""
        import tensorflow as tf

        specs = [tf.TensorSpec(s.shape, s.dtype, n) for s, n in zip(self.inputs, inputs, strict=False)]
        return replace(
            self,
            inputs=tuple(specs) or self.inputs,
            outputs=tuple(outputs) or self.outputs,
            layers=frozenset(layers) or self.layers,
            batched=self.batched or bool(layers),
        )


def unique(names: Sequence[str], taken: set[str]) -> tuple[str, ...]:
    """Returns the names; one that is taken becomes the first free of `name_1`, `name_2`, ...

    Args:
        names: Wanted names.
        taken: Names in use; the result is added to it.
    """
    result: list[str] = []
    for name in names:
        free, i = name, 0
        while free in taken:
            i += 1
            free = f"{name}_{i}"
        taken.add(free)
        result.append(free)
    return tuple(result)
