"""SavedModel folders and frozen TensorFlow graphs as one function each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.importers.keras_child.source import End, Frozen, Source, unique
from edgekit.importers.keras_config import StoredCode
from edgekit.importers.keras_files import refuse_code

# Ops that run Python or touch files when the graph runs or is initialised.
_CODE_OPS = frozenset(
    {
        *("EagerPyFunc", "PyFunc", "PyFuncStateless"),
        *("ReadFile", "WriteFile", "MatchingFiles", "ImmutableConst", "LoadDataset"),
        *("SaveDataset", "SaveDatasetV2", "DebugIdentity", "DebugIdentityV2", "DumpTensor"),
    }
)


def read(path: Path, *, allow_code: bool) -> Source:
    """Loads the serving signature of a SavedModel; inputs and outputs in the order of their names.

    Args:
        path: The folder.
        allow_code: Whether ops that run Python or touch files may stay in the graph.

    Raises:
        EdgekitError: EK103 corrupt, EK111 it would run code, EK112 no single signature.
    """
    import tensorflow as tf

    meta = _meta_graph(path)
    _refuse_code_ops(path, meta, allow_code)
    try:
        if not meta.object_graph_def.nodes:
            return _read_tf1(path, meta)
        loaded = tf.saved_model.load(str(path), tags=list(meta.meta_info_def.tags))
    except EdgekitError:
        raise
    except Exception as failure:
        raise error(
            "EK103",
            f"the SavedModel `{path}` cannot be loaded: its variables are missing or corrupt",
            where=Where(file=str(path)),
            notes=[str(failure).splitlines()[0][:240]],
        ) from failure
    key = _signature(path, loaded.signatures)
    function = loaded.signatures[key]
    layers = _layer_names(path, meta)
    specs = _named_specs(function)

    def call(*tensors: Any) -> Any:
        # By way of `loaded`, which alone keeps the variables alive.
        named = loaded.signatures[key](**{s.name: t for s, t in zip(specs, tensors, strict=True)})
        return [named[name] for name in sorted(named)]

    return Source(
        path.name,
        f"TensorFlow {tf.__version__}",
        call,
        specs,
        unique(sorted(function.structured_outputs), {s.name for s in specs}),
        batched=bool(layers),
        layers=layers,
    )


def read_graph(path: Path) -> Source:
    """Loads a frozen graph: placeholders are its inputs, ops that nothing reads its outputs.

    Raises:
        EdgekitError: EK103 corrupt, EK112 when it has variables, no inputs or no outputs.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    where = Where(file=str(path))
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except DecodeError:
        graph = tf.compat.v1.GraphDef()
    if not graph.node:
        raise error(
            "EK103", f"`{path}` is not a TensorFlow graph, or it is truncated or corrupt", where=where
        )
    _refuse_code(path, [n.op for n in graph.node], [n.name for n in graph.node])
    variables = [n.name for n in graph.node if n.op in ("Variable", "VariableV2", "VarHandleOp")]
    if variables:
        raise error(
            "EK112",
            f"the graph `{path}` is not frozen: its variables have no values",
            where=Where(file=str(path), nodes=tuple(variables)),
            help="freeze it, or give the SavedModel folder",
        )
    inputs = [n.name for n in graph.node if n.op == "Placeholder"]
    read_by_others = {i.split(":")[0].removeprefix("^") for n in graph.node for i in n.input}
    passive = ("Const", "NoOp", "Placeholder", "Assert")
    outputs = [n.name for n in graph.node if n.name not in read_by_others and n.op not in passive]
    if not inputs or not outputs:
        raise error("EK112", f"the graph `{path}` has no {'outputs' if inputs else 'inputs'}", where=where)
    return _graph_source(path, graph, {n: f"{n}:0" for n in inputs}, {n: f"{n}:0" for n in outputs})


def _graph_source(path: Path, graph: Any, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Source:
    """Makes one function of a graph without variables.

    Args:
        path: Where it comes from.
        graph: The `GraphDef`.
        inputs: Name to tensor.
        outputs: Name to tensor.
    """
    import tensorflow as tf

    try:
        graph = tf.compat.v1.graph_util.extract_sub_graph(graph, [_node(t) for t in outputs.values()])
        wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
        sources, results = (
            [wrapped.graph.get_tensor_by_name(name) for name in ends.values()] for ends in (inputs, outputs)
        )
    except (ValueError, KeyError, AssertionError, tf.errors.OpError) as failure:
        raise error(
            "EK112",
            f"TensorFlow does not accept the graph `{path}`",
            where=Where(file=str(path)),
            notes=[str(failure).splitlines()[0][:240]],
        ) from failure
    specs = tuple(tf.TensorSpec(t.shape, t.dtype, name) for name, t in zip(inputs, sources, strict=True))
    names = unique(list(outputs), set(inputs))
    frozen = Frozen(graph, tuple(map(End.of, inputs, sources)), tuple(map(End.of, names, results)))
    return Source(
        path.stem,
        f"TensorFlow {tf.__version__}",
        wrapped.prune(sources, results),
        specs,
        names,
        batched=False,
        frozen=frozen,
    )


def _read_tf1(path: Path, meta: Any) -> Source:
    """Freezes a SavedModel of TensorFlow 1, whose variables may be no resources, in a session."""
    import tensorflow as tf

    v1 = tf.compat.v1
    signature = meta.signature_def[_signature(path, meta.signature_def)]
    inputs, outputs = (
        {n: side[n].name for n in sorted(side)} for side in (signature.inputs, signature.outputs)
    )
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, list(meta.meta_info_def.tags), str(path))
        ends = [_node(tensor) for tensor in outputs.values()]
        graph = v1.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), ends)
    return _graph_source(path, graph, inputs, outputs)


def _node(tensor: str) -> str:
    return tensor.partition(":")[0]


def _meta_graph(path: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    where = Where(file=str(path / "saved_model.pb"))
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((path / "saved_model.pb").read_bytes())
    except DecodeError:
        saved = saved_model_pb2.SavedModel()
    if not saved.meta_graphs:
        raise error("EK103", f"`{path / 'saved_model.pb'}` is empty, truncated or corrupt", where=where)
    serving = [m for m in saved.meta_graphs if "serve" in m.meta_info_def.tags]
    if len(serving) == 1:
        return serving[0]
    if len(saved.meta_graphs) == 1:
        return saved.meta_graphs[0]
    tags = [" ".join(m.meta_info_def.tags) for m in saved.meta_graphs]
    raise error("EK112", f"`{path}` holds no single graph for serving", where=where, notes=[f"tags: {tags}"])


def _refuse_code_ops(path: Path, meta: Any, allow_code: bool) -> None:
    if allow_code:
        return
    nodes = [*meta.graph_def.node, *(n for f in meta.graph_def.library.function for n in f.node_def)]
    _refuse_code(path, [n.op for n in nodes], [n.name for n in nodes])


def _refuse_code(path: Path, ops: Iterable[str], names: Iterable[str]) -> None:
    found = [StoredCode(f"the op `{o}`", n) for o, n in zip(ops, names, strict=True) if o in _CODE_OPS]
    if found:
        raise refuse_code(path, found)


def _signature(path: Path, found: Iterable[str]) -> str:
    signatures = [k for k in found if not k.startswith("_")]
    if "serving_default" in signatures:
        return "serving_default"
    if len(signatures) == 1:
        return signatures[0]
    raise error(
        "EK112",
        f"the SavedModel `{path}` has {len(signatures) or 'no'} signatures, and none is `serving_default`",
        where=Where(file=str(path)),
        notes=[f"signatures: {', '.join(f'`{s}`' for s in signatures)}"] if signatures else [],
        help="save it with `tf.saved_model.save(model, folder, signatures=function)`",
    )


def _named_specs(function: Any) -> tuple[Any, ...]:
    import tensorflow as tf

    _, keywords = function.structured_input_signature  # a signature takes its inputs by keyword only
    return tuple(tf.TensorSpec(s.shape, s.dtype, name) for name, s in sorted(keywords.items()))


def _layer_names(path: Path, meta: Any) -> frozenset[str]:
    """Names of Keras layers from what Keras 2 notes in the folder; empty when Keras did not write it."""
    objects = meta.object_graph_def.nodes[1:]  # the first is the model itself
    metadata = [n.user_object.metadata for n in objects if n.WhichOneof("kind") == "user_object"]
    file = path / "keras_metadata.pb"
    if file.is_file():
        from tensorflow.python.keras.protobuf import saved_metadata_pb2

        parsed = saved_metadata_pb2.SavedMetadata()
        parsed.ParseFromString(file.read_bytes())
        metadata += [n.metadata for n in parsed.nodes if n.node_path != "root"]
    fields = [json.loads(text) for text in metadata if text.startswith("{")]
    return frozenset(f["name"] for f in fields if "class_name" in f and isinstance(f.get("name"), str))
