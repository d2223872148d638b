"""SavedModel folders and frozen TensorFlow graphs as one function each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Where, error
from edgekit.importers.keras_child.source import Source, unique
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
        loaded = tf.saved_model.load(str(path), tags=list(meta.meta_info_def.tags))
    except Exception as failure:
        raise error(
            "EK103",
            f"the SavedModel `{path}` cannot be loaded: its variables are missing or corrupt",
            where=Where(file=str(path)),
            notes=[str(failure).splitlines()[0][:240]],
        ) from failure
    key = _signature(path, loaded)
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
    inputs = [f"{n.name}:0" for n in graph.node if n.op == "Placeholder"]
    read_by_others = {i.split(":")[0].removeprefix("^") for n in graph.node for i in n.input}
    passive = ("Const", "NoOp", "Placeholder", "Assert")
    outputs = [f"{n.name}:0" for n in graph.node if n.name not in read_by_others and n.op not in passive]
    if not inputs or not outputs:
        raise error("EK112", f"the graph `{path}` has no {'outputs' if inputs else 'inputs'}", where=where)
    try:
        wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    except (ValueError, tf.errors.OpError) as failure:
        raise error(
            "EK112",
            f"TensorFlow does not accept the graph `{path}`",
            where=where,
            notes=[str(failure).splitlines()[0][:240]],
        ) from failure
    tensors = [wrapped.graph.get_tensor_by_name(name) for name in inputs]
    function = wrapped.prune(tensors, [wrapped.graph.get_tensor_by_name(n) for n in outputs])
    specs = tuple(tf.TensorSpec(t.shape, t.dtype, t.op.name) for t in tensors)
    names = unique([n.removesuffix(":0") for n in outputs], {s.name for s in specs})
    return Source(path.stem, f"TensorFlow {tf.__version__}", function, specs, names, batched=False)


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


def _signature(path: Path, loaded: Any) -> str:
    signatures: list[str] = [k for k in loaded.signatures if not k.startswith("_")]
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
