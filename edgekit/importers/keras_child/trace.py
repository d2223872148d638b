"""From a loaded model to a frozen TensorFlow graph.

While a Keras model is traced, each layer's `call` is wrapped: the wrapper notes the name scope it runs
in, which is how a node of the graph is led back to its layer, and a few layers are traced as the one op
that they are instead of what Keras decomposes them into.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.importers.keras_child.one_op import one_op_call
from edgekit.importers.keras_child.rnn import Recurrence, recurrent_call
from edgekit.importers.keras_child.source import Source


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


@dataclass(frozen=True, slots=True)
class Frozen:
    """A graph without variables.

    Attributes:
        graph_def: The `GraphDef`, with shapes.
        inputs: The inputs, in order.
        outputs: The outputs, in order.
        scopes: TensorFlow name scope to path of the layer that ran in it.
        recurrences: What the markers of recurrent layers in the graph stand for.
    """

    graph_def: Any
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    scopes: dict[str, str]
    recurrences: list[Recurrence]


def freeze(source: Source) -> Frozen:
    """Traces a model and turns its variables into constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    scopes: dict[str, str] = {}
    recurrences: list[Recurrence] = []
    # The names in the source model may be no TensorFlow names, and tf2onnx renames by tensor anyway.
    specs = [tf.TensorSpec(s.shape, s.dtype, f"edgekit_input_{i}") for i, s in enumerate(source.inputs)]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def run(*tensors: Any) -> Any:
        # Identities make every output a tensor of its own, even one that is an input or comes twice.
        return [tf.identity(t, name="edgekit_output") for t in source.call(*tensors)]

    with _watched(source, scopes, recurrences):
        concrete = run.get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False, aggressive_inlining=True)
    inputs = [t for t in frozen.inputs if t.dtype != tf.resource]
    return Frozen(
        frozen.graph.as_graph_def(add_shapes=True),
        tuple(_end(s.name, t) for s, t in zip(source.inputs, inputs, strict=True)),
        tuple(_end(name, t) for name, t in zip(source.outputs, frozen.outputs, strict=True)),
        scopes,
        recurrences,
    )


def layers_of(layer: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every layer below a model or wrapper with its path (`block1/conv`), outermost first."""
    for child in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{child.name}"
        yield path, child
        yield from layers_of(child, f"{path}/")


def _end(name: str, tensor: Any) -> End:
    dims = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return End(name, tensor.name, tensor.dtype, dims)


@contextlib.contextmanager
def _watched(source: Source, scopes: dict[str, str], recurrences: list[Recurrence]) -> Iterator[None]:
    """Wraps the calls of all layers while the model is traced; the checks run the layers as they are."""
    originals = []
    for path, layer in [] if source.model is None else layers_of(source.model):
        originals.append((layer, layer.call))
        layer.call = _noting(layer, path, source.package, scopes, recurrences)
    try:
        yield
    finally:
        for layer, call in reversed(originals):
            layer.call = call


def _noting(
    layer: Any, path: str, package: Any, scopes: dict[str, str], recurrences: list[Recurrence]
) -> Callable[..., Any]:
    import tensorflow as tf

    call = recurrent_call(layer, package, recurrences) or one_op_call(layer, package) or layer.call

    @functools.wraps(layer.call)
    def noted(*args: Any, **kwargs: Any) -> Any:
        # The first to enter a scope owns it: a wrapper may run its only child in its own scope.
        scopes.setdefault(tf.compat.v1.get_default_graph().get_name_scope(), path)
        return call(*args, **kwargs)

    return noted
