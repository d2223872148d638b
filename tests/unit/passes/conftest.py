"""Helpers of the tests of passes: models from text, random inputs, ONNX Runtime as the oracle."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import numpy_helper, parser

from edgekit.ir import Model, Origin, origin_of, set_origin
from edgekit.lowering.onnx.emit import RUNTIME_OPSET
from edgekit.passes import prepare

INTEGERS = {
    onnx.TensorProto.INT64: np.int64,
    onnx.TensorProto.INT32: np.int32,
    onnx.TensorProto.INT8: np.int8,
    onnx.TensorProto.UINT8: np.uint8,
}


def proto(text, opset, ir_version=10, **bound):
    """Parses `(inputs) => (outputs) { nodes }` at an opset; keyword arguments become initializers."""
    header = f'<ir_version: {ir_version}, opset_import: ["" : {opset}]>'
    model = parser.parse_model(f"{header} main {text}")
    for name, data in bound.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(data), name))
    kept = [v for v in model.graph.input if v.name not in bound]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def random_inputs(model, seed=0, sizes=None):
    """Draws inputs: normal floats, small integers, fair booleans; symbolic sizes default to 3."""
    rng = np.random.default_rng(seed)
    feeds = {}
    constants = {t.name for t in model.graph.initializer}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value or (sizes or {}).get(d.dim_param, 3) for d in tensor.shape.dim]
        if tensor.elem_type in INTEGERS:
            feeds[value.name] = rng.integers(0, 3, shape).astype(INTEGERS[tensor.elem_type])
        elif tensor.elem_type == onnx.TensorProto.BOOL:
            feeds[value.name] = rng.integers(0, 2, shape).astype(bool)
        else:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            feeds[value.name] = rng.standard_normal(shape).astype(dtype)
    return feeds


def runtime(model, feeds):
    """Runs a model in ONNX Runtime with all optimisations off."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = {i.name for i in session.get_inputs()}
    return session.run(None, {k: v for k, v in feeds.items() if k in names})


def hub(model):
    """Brings a proto into the hub, with the name of each node as its origin."""
    graph = ir.serde.deserialize_model(model)
    for inner in graph.graphs():
        for index, node in enumerate(inner):
            node.name = node.name or f"{inner.name}_{node.op_type}_{index}"
            set_origin(node, Origin((node.name,)))
    return Model(graph)


def runnable(model, opset=RUNTIME_OPSET):
    """Writes a prepared model for ONNX Runtime, which may lag behind in opsets, without any other change."""
    written = ir.serde.serialize_model(model.ir if isinstance(model, Model) else model)
    for imported in written.opset_import:
        if imported.domain == "":
            imported.version = min(imported.version, opset)
    written.ir_version = 10
    return written


def same(expected, found, rtol=1e-5, atol=1e-6):
    """Asserts equal dtypes, shapes and values."""
    assert len(expected) == len(found)
    for a, b in zip(expected, found, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype.kind == "f":
            scale = np.abs(a[np.isfinite(a)]).max(initial=1.0)
            np.testing.assert_allclose(b, a, rtol=rtol, atol=atol * scale)
        else:
            np.testing.assert_array_equal(b, a)


def keeps(model, seed=0, sizes=None, rtol=1e-5, atol=1e-6, feeds=None, opset=RUNTIME_OPSET):
    """Prepares a model, asserts that its results and complete origins are kept, and returns the result."""
    given = random_inputs(model, seed, sizes) if feeds is None else feeds
    source = hub(model)
    before = ir.serde.serialize_model(source.ir).SerializeToString(deterministic=True)
    prepared = prepare(source)
    assert ir.serde.serialize_model(source.ir).SerializeToString(deterministic=True) == before
    same(runtime(model, given), runtime(runnable(prepared.model, opset), given), rtol, atol)
    known = {name for node in source.ir.graph.all_nodes() for name in origin_of(node).nodes}
    for node in prepared.model.ir.graph.all_nodes():
        origin = origin_of(node)
        assert origin.nodes, f"{node.name} has no origin"
        assert set(origin.nodes) <= known
    return prepared.model


def types(model):
    """Op types of the main graph, in order."""
    return [node.op_type for node in model.ir.graph]


@pytest.fixture(scope="session")
def lab():
    """All helpers in one namespace, for tests cannot import each other's modules."""
    return SimpleNamespace(
        proto=proto,
        random_inputs=random_inputs,
        runtime=runtime,
        hub=hub,
        runnable=runnable,
        same=same,
        keeps=keeps,
        types=types,
    )
