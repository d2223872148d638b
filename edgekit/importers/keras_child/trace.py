"""From a loaded model to a frozen TensorFlow graph.

While a Keras model is traced, each layer's `call` is wrapped: the wrapper notes the name scope it runs
in, which is how a node of the graph is led back to its layer, and a few layers are traced as the one op
that they are instead of what Keras decomposes them into.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from edgekit.diagnostics import Where, error
from edgekit.importers.keras_child.one_op import one_op_call
from edgekit.importers.keras_child.rnn import Recurrence, recurrent_call
from edgekit.importers.keras_child.source import End, Frozen, Source


def freeze(source: Source) -> Frozen:
    """Traces a model and turns its variables into constants."""
    import tensorflow as tf
    from tf2onnx.tf_utils import compress_graph_def

    if source.frozen is not None:
        return source.frozen
    _refuse_state(source)
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
    inputs = [t.name for t in concrete.inputs[: len(specs)]]  # the variables come after them
    outputs = [t.name for t in concrete.outputs]
    graph_def = _inlined(_without_variables(concrete), inputs + outputs)
    weights = compress_graph_def(graph_def)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")  # infers the shapes behind calls that were inlined
    return Frozen(
        graph_def,
        tuple(
            End.of(s.name, graph.get_tensor_by_name(t)) for s, t in zip(source.inputs, inputs, strict=True)
        ),
        tuple(End.of(n, graph.get_tensor_by_name(t)) for n, t in zip(source.outputs, outputs, strict=True)),
        weights,
        scopes,
        recurrences,
    )


def _refuse_state(source: Source) -> None:
    for path, layer in [] if source.model is None else layers_of(source.model):
        if getattr(layer, "stateful", False) is True and hasattr(layer, "reset_states"):
            raise error(
                "EK112",
                f"the layer `{path}` keeps its state from call to call, which an ONNX graph cannot",
                where=Where(nodes=(path,), scope=path),
                help="set `stateful=False`, and pass the state as an input and an output if it is needed",
            )


def _without_variables(function: Any) -> Any:
    """Returns the graph of a function with constants for its variables, and its calls inlined.

    These are the two steps of `convert_variables_to_constants_v2`, whose third builds a function of the
    graph: several more copies of all weights, for nothing.
    """
    from tensorflow.python.framework import convert_to_constants

    data = convert_to_constants._FunctionConverterDataInEager(
        func=function, lower_control_flow=False, aggressive_inlining=True
    )
    return convert_to_constants._replace_variables_by_constants(converter_data=data)[0]


def _inlined(graph_def: Any, ends: list[str]) -> Any:
    """Returns the graph without the calls that freezing leaves: functions marked for XLA.

    Keras marks grouped convolutions so.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
    from tensorflow.python.grappler import tf_optimizer
    from tensorflow.python.training import saver

    nodes = [*graph_def.node, *(n for f in graph_def.library.function for n in f.node_def)]
    if not any(n.op in ("PartitionedCall", "StatefulPartitionedCall") for n in nodes):
        return graph_def
    for owner in [*nodes, *graph_def.library.function]:
        owner.attr.pop("_XlaMustCompile", None)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        meta = saver.export_meta_graph(graph_def=graph_def, graph=graph)
    meta.collection_def["train_op"].node_list.value.extend(ends)  # grappler keeps what is fetched
    config = config_pb2.ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.min_graph_nodes = -1
    rewrite.optimizers.append("function")
    rewrite.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    return tf_optimizer.OptimizeGraph(config, meta)


def layers_of(layer: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every layer below a model or wrapper with its path (`block1/conv`), outermost first."""
    for child in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{child.name}"
        yield path, child
        yield from layers_of(child, f"{path}/")


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
