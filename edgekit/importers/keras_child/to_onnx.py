"""From a frozen TensorFlow graph to ONNX with tf2onnx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

from edgekit.diagnostics import Diagnostic, EdgekitError, Where
from edgekit.importers.keras_child.handlers import handlers
from edgekit.importers.keras_child.naming import names_tell_their_source
from edgekit.importers.keras_child.source import End, Frozen, unique
from edgekit.importers.keras_scopes import Scopes, plain_name

OPSET = 18
"""The newest opset that tf2onnx 1.17 writes."""


def to_onnx(frozen: Frozen, name: str, scopes: Scopes, *, batched: bool) -> onnx.ModelProto:
    """Converts a graph.

    Args:
        frozen: The graph; inputs and outputs get their names in the source model.
        name: The name of the ONNX graph.
        scopes: Leads node names back to layers, for messages.
        batched: Whether axis 0 of every input and output is known to be the batch.

    Returns:
        The model at opset 18. Layouts are those of the source: images stay NHWC.

    Raises:
        EdgekitError: EK112 when TensorFlow ops have no ONNX form; one diagnostic per op type.
    """
    proto = _converted(frozen, name)
    _refuse_unmapped(proto.graph, scopes)
    _finish(proto, frozen, batched)
    return _with_shapes(proto)


def _converted(frozen: Frozen, name: str, *, cautious: bool = False) -> onnx.ModelProto:
    """Runs tf2onnx.

    Args:
        frozen: The graph.
        name: The name of the ONNX graph.
        cautious: Copy the graph before each optimizer, which is slow, and go on without one that fails.
    """
    import tensorflow as tf
    from tf2onnx import optimizer, tfonnx

    with tf.Graph().as_default() as graph, tf.device("/cpu:0"), names_tell_their_source():
        tf.import_graph_def(frozen.graph_def, name="")
        parsed = tfonnx.process_tf_graph(
            graph,
            opset=OPSET,
            input_names=[end.tensor for end in frozen.inputs],
            output_names=[end.tensor for end in frozen.outputs],
            const_node_values=dict(frozen.weights),
            tensors_to_rename={end.tensor: end.name for end in frozen.inputs + frozen.outputs},
            custom_op_handlers={op: (handle, []) for op, handle in handlers(frozen.recurrences).items()},
        )
        try:
            parsed = optimizer.optimize_graph(parsed, catch_errors=cautious, optimizers=_optimizers())
        except Exception:
            if cautious:
                raise
            return _converted(frozen, name, cautious=True)
        return parsed.make_model(name, graph_name=name)


def _optimizers() -> dict[str, Any]:
    """Returns what of tf2onnx's optimizers is wanted.

    Not the one that spells an Einsum out as reshapes of computed shapes, and not the rule that folds a
    BatchNormalization into its Conv: that is a pass of ours, which keeps the origins of both.
    """
    from tf2onnx import optimizer
    from tf2onnx.optimizer import back_to_back_optimizer

    back_to_back_optimizer._func_map.pop(("Conv", "BatchNormalization"), None)
    return {n: o for n, o in optimizer._get_optimizers().items() if n != "einsum_optimizer"}


def _refuse_unmapped(graph: onnx.GraphProto, scopes: Scopes) -> None:
    """tf2onnx only logs the ops that it cannot express and leaves them in the graph."""
    unmapped: dict[str, list[str]] = {}
    for node in _all_nodes(graph):
        if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type, OPSET):
            unmapped.setdefault(node.op_type, []).append(node.name)
    if unmapped:
        raise EdgekitError(
            *(
                Diagnostic(
                    "EK112",
                    f"the TensorFlow op `{op}` cannot be expressed in ONNX",
                    where=Where(nodes=tuple(names), scope=scopes.of(names[0])),
                    help="replace the layer, or export the model without it",
                )
                for op, names in unmapped.items()
            )
        )


def _finish(proto: onnx.ModelProto, frozen: Frozen, batched: bool) -> None:
    """Restores what tf2onnx drops: unused inputs, their order, symbolic sizes, unique names."""
    ends = frozen.inputs + frozen.outputs
    batched = batched or all(end.dims and end.dims[0] is None for end in ends)
    del proto.graph.input[:], proto.graph.output[:]
    proto.graph.input.extend(_value_info(end, batched, named=True) for end in frozen.inputs)
    # Other sizes of outputs follow from the inputs; a symbol of their own would deny that.
    proto.graph.output.extend(_value_info(end, batched, named=False) for end in frozen.outputs)
    del proto.graph.value_info[:]  # its symbols (`unk__12`) say nothing and contradict ours
    used = {n.domain for n in _all_nodes(proto.graph)}
    for entry in [e for e in proto.opset_import if e.domain and e.domain not in used]:
        proto.opset_import.remove(entry)
    for node in _all_nodes(proto.graph):
        _modernise_resize(node)
    _name_nodes(proto.graph)


def _with_shapes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model with the shapes of its tensors; sizes that inference only numbers stay open."""
    proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    for value in proto.graph.value_info:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param.startswith("unk__"):
                dim.ClearField("dim_param")
    return proto


def _value_info(end: End, batched: bool, *, named: bool) -> onnx.ValueInfoProto:
    dtype = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(end.dtype.as_numpy_dtype))
    if end.dims is None:
        return onnx.helper.make_tensor_value_info(end.name, dtype, None)
    dims: list[int | str | None] = list(end.dims)
    for axis, size in enumerate(dims):
        if size is None and axis == 0 and batched:
            dims[axis] = "batch"
        elif size is None and named:
            dims[axis] = f"{end.name}_{axis}"
    return onnx.helper.make_tensor_value_info(end.name, dtype, dims)


def _modernise_resize(node: onnx.NodeProto) -> None:
    """Replaces a coordinate mode that ONNX deprecated in opset 13 by an equal pair.

    `tf_half_pixel_for_nn` with `floor` takes floor((x + 0.5) / scale); `half_pixel` subtracts 0.5 and
    `round_prefer_ceil` adds it again (ONNX operator document, Resize).
    """
    if node.op_type != "Resize":
        return
    attributes = {a.name: a for a in node.attribute}
    transform, nearest = (attributes.get(k) for k in ("coordinate_transformation_mode", "nearest_mode"))
    if transform is None or nearest is None:
        return
    if (transform.s, nearest.s) == (b"tf_half_pixel_for_nn", b"floor"):
        transform.s, nearest.s = b"half_pixel", b"round_prefer_ceil"


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Gives every node, in subgraphs too, a name of its own, without the calls that were inlined."""
    nodes = list(_all_nodes(graph))
    names = unique([plain_name(n.name) or n.op_type for n in nodes], set())
    for node, name in zip(nodes, names, strict=True):
        node.name = name


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for sub in [attribute.g, *attribute.graphs]:
                yield from _all_nodes(sub)
