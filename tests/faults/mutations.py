"""Damaged models: valid ones, changed in their bytes or in their structure, all from a seed."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
from onnx import TensorProto, helper

GOLDEN = Path(__file__).parents[2] / "golden" / "models"

TEXTS = (
    """<ir_version: 8, opset_import: ["" : 17]>
    conv (float[1, 3, 8, 8] x) => (float[1, 4] y) <float[4, 3, 3, 3] w, float[4] b> {
        a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (x, w, b)
        r = Relu(a)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
        m = ReduceMean <axes = [2, 3], keepdims = 0> (p)
        y = Softmax <axis = 1> (m)
    }""",
    """<ir_version: 8, opset_import: ["" : 17]>
    shapes (float["N", 4, 6] x) => (float["N", 2, 12] y, int64[3] s) <int64[3] target, int64[1] one> {
        t = Transpose <perm = [0, 2, 1]> (x)
        r = Reshape (t, target)
        c = Concat <axis = -1> (r, r)
        u = Unsqueeze (c, one)
        q = Squeeze (u, one)
        k, v = Split <axis = 2> (q)
        y = Add (k, v)
        s = Shape (y)
    }""",
    """<ir_version: 8, opset_import: ["" : 17]>
    control (int64 n, bool c, float[4] x) => (float[4] y, float["T", 4] z) {
        p, z = Loop (n, c, x) <body = b (int64 i, bool k, float[4] s) => (bool k2, float[4] r, float[4] w) {
            k2 = Identity (k)
            r = Add (s, s)
            w = Neg (r)
        }>
        y = If (c) <then_branch = t () => (float[4] g) { g = Abs (p) },
                    else_branch = e () => (float[4] h) { h = Exp (p) }>
    }""",
    """<ir_version: 9, opset_import: ["" : 17, "local" : 1]>
    calls (float[4] x) => (float[4] y) { a = local.f <k = 0.5> (x) y = local.g (a) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]>
    f <k> (v) => (r) { w = LeakyRelu <alpha : float = @k> (v) r = Add (w, v) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]>
    g (v) => (r) { w = local.f <k = 0.1> (v) r = Mul (w, w) }""",
    """<ir_version: 8, opset_import: ["" : 13]>
    quantised (float[1, 8] x) => (float[1, 4] y) <float s = {0.1}, int8 z = {0}, int8[8, 4] w> {
        q = QuantizeLinear (x, s, z)
        d = DequantizeLinear (q, s, z)
        e = DequantizeLinear (w, s, z)
        y = MatMul (d, e)
    }""",
)


@functools.cache
def models() -> tuple[bytes, ...]:
    """The valid models: small ones of many kinds, and the shipped ones."""
    rng = np.random.default_rng(0)
    built = []
    for text in TEXTS:
        proto = onnx.parser.parse_model(text)
        # The text form declares a weight without values as a value that nothing produces.
        weights = [weight(info, rng) for info in proto.graph.value_info]
        proto.graph.ClearField("value_info")
        proto.graph.initializer.extend(weights)
        onnx.checker.check_model(proto)
        built.append(proto.SerializeToString())
    shipped = [p.read_bytes() for p in sorted(GOLDEN.glob("*/model.onnx")) if p.stat().st_size < 200_000]
    return (*built, *shipped)


def weight(info: onnx.ValueInfoProto, rng: np.random.Generator) -> onnx.TensorProto:
    fixed = {"target": np.array([0, 2, 12], np.int64), "one": np.array([1], np.int64)}
    shape = tuple(d.dim_value for d in info.type.tensor_type.shape.dim)
    dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
    values = fixed.get(info.name, rng.integers(-3, 4, shape).astype(dtype))
    return onnx.numpy_helper.from_array(values, info.name)


def mutated(case: int) -> bytes:
    """Returns the damaged model of a case; odd cases damage bytes, even ones the structure."""
    rng = random.Random(case)
    pool = models()
    data = rng.choice(pool)
    if case % 2:
        for _ in range(rng.choice((1, 1, 2, 4))):
            data = rng.choice(BYTES)(rng, data)
        return data
    proto = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(STRUCTURE)(rng, proto)
    return proto.SerializeToString()


# Bytes -------------------------------------------------------------------------------------------------


def flip(rng: random.Random, data: bytes) -> bytes:
    """Flips bits; near the beginning or the end, where the structure lies, as often as in the weights."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 3, 10))):
        if out:
            edge = min(len(out), 400)
            at = rng.choice(
                (rng.randrange(len(out)), rng.randrange(edge), len(out) - 1 - rng.randrange(edge))
            )
            out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def remove(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 2, 17, 300)) :]


def insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 17, 300))) + data[at:]


def repeat(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at : at + 200] * 3 + data[at:]


def splice(rng: random.Random, data: bytes) -> bytes:
    other = rng.choice(models())
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def zero(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    size = min(rng.choice((4, 64, 1024)), len(data) - at)
    return data[:at] + bytes(size) + data[at + size :]


BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    flip,
    flip,
    flip,
    cut,
    remove,
    insert,
    repeat,
    splice,
    zero,
)

# Structure ---------------------------------------------------------------------------------------------

SIZES = (-(2**63), -7, -1, 0, 1, 2, 3, 5, 64, 1000, 2**16, 2**31 - 1, 2**31, 2**40, 2**62)
OPS = (
    "Add", "Conv", "ConvTranspose", "MatMul", "Gemm", "Softmax", "Reshape", "Transpose", "Concat", "Split",
    "Gather", "ScatterND", "Slice", "Pad", "Resize", "Upsample", "Expand", "Tile", "ConstantOfShape", "Range",
    "TopK", "NonZero", "Einsum", "LSTM", "GRU", "If", "Loop", "Scan", "Cast", "Where", "OneHot", "CumSum",
    "LayerNormalization", "BatchNormalization", "QuantizeLinear", "DequantizeLinear", "NotAnOp", "SequenceAt",
)  # fmt: skip


def any_node(rng: random.Random, proto: onnx.ModelProto) -> onnx.NodeProto:
    nodes = list(proto.graph.node)
    for node in proto.graph.node:
        nodes.extend(n for a in node.attribute for n in a.g.node)
    nodes.extend(n for f in proto.functions for n in f.node)
    return rng.choice(nodes) if nodes else proto.graph.node.add()


def any_value(rng: random.Random, proto: onnx.ModelProto) -> str:
    names = [n for node in proto.graph.node for n in (*node.input, *node.output)]
    names += [i.name for i in (*proto.graph.input, *proto.graph.initializer)] + ["", "nowhere"]
    return rng.choice(names)


def rewire(rng: random.Random, proto: onnx.ModelProto) -> None:
    node = any_node(rng, proto)
    if node.input:
        node.input[rng.randrange(len(node.input))] = any_value(rng, proto)


def rename_output(rng: random.Random, proto: onnx.ModelProto) -> None:
    node = any_node(rng, proto)
    if node.output:
        node.output[rng.randrange(len(node.output))] = any_value(rng, proto)


def change_arity(rng: random.Random, proto: onnx.ModelProto) -> None:
    node = any_node(rng, proto)
    field = rng.choice((node.input, node.output))
    if field and rng.random() < 0.5:
        del field[rng.randrange(len(field))]
    else:
        field.append(any_value(rng, proto))


def change_op(rng: random.Random, proto: onnx.ModelProto) -> None:
    any_node(rng, proto).op_type = rng.choice((*OPS, ""))


def change_domain(rng: random.Random, proto: onnx.ModelProto) -> None:
    any_node(rng, proto).domain = rng.choice(("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "nobody"))


def drop_node(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.graph.node:
        del proto.graph.node[rng.randrange(len(proto.graph.node))]


def repeat_node(rng: random.Random, proto: onnx.ModelProto) -> None:
    proto.graph.node.append(any_node(rng, proto))


def shuffle_nodes(rng: random.Random, proto: onnx.ModelProto) -> None:
    nodes = list(proto.graph.node)
    rng.shuffle(nodes)
    proto.graph.ClearField("node")
    proto.graph.node.extend(nodes)


def change_attribute(rng: random.Random, proto: onnx.ModelProto) -> None:
    node = any_node(rng, proto)
    if not node.attribute:
        node.attribute.append(helper.make_attribute(rng.choice(("axis", "axes", "perm")), rng.choice(SIZES)))
        return
    attribute = rng.choice(node.attribute)
    if attribute.type == onnx.AttributeProto.INTS:
        values = [*attribute.ints, rng.choice(SIZES)]
        rng.shuffle(values)
        attribute.ClearField("ints")
        attribute.ints.extend(values[: rng.randrange(len(values) + 1)])
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = rng.choice(SIZES)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = rng.choice((0.0, -1.0, 1e38, float("inf"), float("nan")))
    else:
        attribute.type = rng.randrange(15)


def drop_attribute(rng: random.Random, proto: onnx.ModelProto) -> None:
    node = any_node(rng, proto)
    if node.attribute:
        del node.attribute[rng.randrange(len(node.attribute))]


def retype_attribute(rng: random.Random, proto: onnx.ModelProto) -> None:
    node = any_node(rng, proto)
    if node.attribute:
        attribute = rng.choice(node.attribute)
        value = rng.choice((1, 2.5, b"text", [1, 2], [1.5], [b"a"]))
        attribute.CopyFrom(helper.make_attribute(attribute.name, value))


def resize_initializer(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.graph.initializer:
        tensor = rng.choice(proto.graph.initializer)
        if tensor.dims and rng.random() < 0.7:
            tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(SIZES)
        else:
            tensor.dims.append(rng.choice(SIZES))


def reshape_initializer(rng: random.Random, proto: onnx.ModelProto) -> None:
    """Another shape for the same data, so that the file stays whole and the graph does not."""
    if proto.graph.initializer:
        tensor = rng.choice(proto.graph.initializer)
        dims = [*tensor.dims, 1]
        rng.shuffle(dims)
        tensor.ClearField("dims")
        tensor.dims.extend(dims)


def retype_initializer(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.graph.initializer:
        rng.choice(proto.graph.initializer).data_type = rng.randrange(30)


def refill_initializer(rng: random.Random, proto: onnx.ModelProto) -> None:
    """Other values in a small integer tensor: shapes, axes, indices."""
    tensors = [t for t in proto.graph.initializer if t.data_type == TensorProto.INT64]
    if tensors:
        tensor = rng.choice(tensors)
        shape = tuple(tensor.dims) or (1,)
        values = [rng.choice(SIZES) for _ in range(min(int(np.prod(shape)), 16))]
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(values, np.int64), tensor.name))


def drop_initializer(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.graph.initializer:
        del proto.graph.initializer[rng.randrange(len(proto.graph.initializer))]


def repeat_initializer(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.graph.initializer:
        proto.graph.initializer.append(rng.choice(proto.graph.initializer))


def move_outside(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.graph.initializer:
        tensor = rng.choice(proto.graph.initializer)
        tensor.data_location = TensorProto.EXTERNAL
        location = rng.choice(("w.bin", "../w.bin", "/etc/passwd", "", "a\0b"))
        tensor.external_data.add(key="location", value=location)
        if rng.random() < 0.7:
            tensor.ClearField("raw_data")


def resize_value(rng: random.Random, proto: onnx.ModelProto) -> None:
    infos = [*proto.graph.input, *proto.graph.output, *proto.graph.value_info]
    dims = [d for i in infos for d in i.type.tensor_type.shape.dim]
    if dims:
        dim = rng.choice(dims)
        if rng.random() < 0.7:
            dim.dim_value = rng.choice(SIZES)
        else:
            dim.dim_param = rng.choice(("N", "", "a b"))


def rerank_value(rng: random.Random, proto: onnx.ModelProto) -> None:
    infos = [*proto.graph.input, *proto.graph.output]
    if infos:
        shape = rng.choice(infos).type.tensor_type.shape
        if shape.dim and rng.random() < 0.5:
            del shape.dim[rng.randrange(len(shape.dim))]
        else:
            shape.dim.add(dim_value=rng.choice(SIZES))


def retype_value(rng: random.Random, proto: onnx.ModelProto) -> None:
    infos = [*proto.graph.input, *proto.graph.output]
    if infos:
        info = rng.choice(infos)
        if rng.random() < 0.7:
            info.type.tensor_type.elem_type = rng.randrange(30)
        else:
            info.type.sequence_type.elem_type.tensor_type.elem_type = 1


def drop_input(rng: random.Random, proto: onnx.ModelProto) -> None:
    field = rng.choice((proto.graph.input, proto.graph.output))
    if field:
        del field[rng.randrange(len(field))]


def expose_value(rng: random.Random, proto: onnx.ModelProto) -> None:
    rng.choice((proto.graph.input, proto.graph.output)).add(name=any_value(rng, proto))


def change_versions(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.opset_import and rng.random() < 0.8:
        rng.choice(proto.opset_import).version = rng.choice(
            (-1, 0, 1, 6, 7, 9, 11, 13, 18, 21, 23, 99, 2**40)
        )
    else:
        proto.ir_version = rng.choice((0, 1, 3, 4, 10, 99, 2**40))


def drop_whole(rng: random.Random, proto: onnx.ModelProto) -> None:
    owner, field = rng.choice(
        (
            (proto, "graph"),
            (proto, "opset_import"),
            (proto.graph, "node"),
            (proto.graph, "input"),
            (proto.graph, "output"),
            (proto.graph, "initializer"),
        )
    )
    owner.ClearField(field)


STRUCTURE: tuple[Callable[[random.Random, onnx.ModelProto], None], ...] = (
    rewire, rename_output, change_arity, change_op, change_domain, drop_node, repeat_node, shuffle_nodes,
    change_attribute, change_attribute, drop_attribute, retype_attribute, resize_initializer,
    reshape_initializer, retype_initializer, refill_initializer, refill_initializer, drop_initializer,
    repeat_initializer, move_outside, resize_value, rerank_value, retype_value, drop_input, expose_value,
    change_versions, drop_whole,
)  # fmt: skip
