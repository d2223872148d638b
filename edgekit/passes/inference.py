"""Types and shapes of one node's outputs, from those of its inputs.

The rules are ONNX's own (the C++ function in each op's schema), called for one node at a time: no weight
is serialized, so models of any size work, and constants found on the way are known to the rules. What
ONNX's rules lack is added in `LOCAL`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import defs, shape_inference

from edgekit.ir.model import dims_of
from edgekit.ir.spec import Dim
from edgekit.passes.edit import attribute, dims, failure, is_constant, operand, scalar, size_of, subgraphs

DATA_LIMIT = 1024
"""Constants of up to this many elements are shown to the rules: axes, shapes, pads, scales."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """What is known of an output.

    Attributes:
        type: Kind and dtype, or `None` if unknown.
        shape: Sizes, or `None` for unknown rank.
    """

    type: ir.TypeProtocol | None
    shape: tuple[Dim, ...] | None


Rule = Callable[[ir.Node], tuple[Inferred, ...]]
LOCAL: dict[str, Rule] = {}
"""Rules for ops whose schema has none, and quick ones for ops that keep their input's type."""


def like_first_input(node: ir.Node) -> tuple[Inferred, ...]:
    """The only output has the dtype and shape of the first input."""
    value = node.inputs[0]
    return (Inferred(value.type, dims_of(value.shape)) if value is not None else Inferred(None, None),)


def counted(node: ir.Node) -> tuple[Inferred, ...]:
    """Range has one axis. ONNX's rule refuses operands of shape [1], which runtimes take."""
    return (Inferred(None if node.inputs[0] is None else node.inputs[0].type, (_count(node),)),)


def _count(node: ir.Node) -> int | None:
    start, limit, delta = (scalar(v) for v in node.inputs)
    if start is None or limit is None or delta is None or not delta:
        return None
    return range_length(start, limit, delta)


def range_length(start: Any, limit: Any, delta: Any) -> int:
    """Returns the number of elements of a Range: `ceil((limit - start) / delta)`, its definition.

    Args:
        start: First element, a numpy scalar; integers are counted exactly, floats in float64.
        limit: The elements stay below it, or above for a negative step.
        delta: The step, not 0.
    """
    if np.asarray(start).dtype.kind in "iu":
        return max(-((int(start) - int(limit)) // int(delta)), 0)
    return max(math.ceil((float(limit) - float(start)) / float(delta)), 0)


def spectrogram(node: ir.Node) -> tuple[Inferred, ...]:
    """STFT: frames and bins. ONNX's rule takes an omitted `onesided` for 0; its default is 1."""
    signal = node.inputs[0]
    batch, size, *_ = dims(signal) or (None, None)
    step, length = scalar(operand(node, 1)), scalar(operand(node, 3))
    if length is None and operand(node, 3) is None:
        window = dims(operand(node, 2))
        length = size if operand(node, 2) is None else window and window[0]
    bins = frames = None
    if length is not None and not isinstance(length, str):
        bins = int(length) // 2 + 1 if attribute(node, "onesided", 1) else int(length)
        if isinstance(size, int) and step:
            frames = (size - int(length)) // int(step) + 1
    return (Inferred(None if signal is None else signal.type, (batch, frames, bins, 2)),)


LOCAL["Range"] = counted
LOCAL["STFT"] = spectrogram
LOCAL.update(
    dict.fromkeys(
        (
            *("Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish"),
            *("Gelu", "Mish", "Softplus", "Softsign", "Tanh", "Abs", "Neg", "Exp", "Log", "Sqrt", "Erf"),
            *("Floor", "Ceil", "Round", "Reciprocal", "Sign", "Clip"),
            *("GroupNormalization", "MeanVarianceNormalization", "InstanceNormalization"),
        ),
        like_first_input,
    )
)


def infer(node: ir.Node, version: int) -> tuple[Inferred, ...]:
    """Infers the outputs of a node without subgraphs.

    Args:
        node: A node whose inputs have their types set.
        version: The opset of the node's domain that it is written in.

    Returns:
        One entry for each output; all unknown when the op or an input's type is unknown.

    Raises:
        EdgekitError: EK114 when the types or shapes of the inputs contradict each other or the op.
    """
    nothing = (Inferred(None, None),) * len(node.outputs)
    if node.op_type in LOCAL and not node.domain and len(node.outputs) == 1:
        return LOCAL[node.op_type](node)
    schema = schema_of(node.op_type, version, node.domain)
    if schema is None or not schema.has_type_and_shape_inference_function or subgraphs(node):
        return nothing
    if any(v is not None and v.type is None for v in node.inputs):
        return nothing
    _guard(node)
    try:
        found = _ask_onnx(node, schema, version)
    except (
        shape_inference.InferenceError,
        onnx.checker.ValidationError,
        ValueError,
        RuntimeError,
    ) as problem:
        raise failure(
            "EK114", node, f"the inputs of `{node.op_type}` contradict each other: {_cause(problem)}"
        ) from problem
    return tuple(_parse(found.get(f"o{i}")) for i in range(len(node.outputs)))


@cache
def schema_of(op_type: str, version: int, domain: str = "") -> defs.OpSchema | None:
    """Returns the schema of an op in an opset, or `None` if there is none or it is deprecated there."""
    try:
        schema = defs.get_schema(op_type, version, domain)
    except defs.SchemaError:
        return None
    return None if schema.deprecated else schema


def _guard(node: ir.Node) -> None:
    """Refuses what ends the process in ONNX's rule instead of raising an error."""
    parts = node.attributes.get("num_outputs")
    if node.op_type == "Split" and parts is not None and parts.value != len(node.outputs):
        message = f"`Split` states {parts.value} parts and has {len(node.outputs)} outputs"
        raise failure("EK114", node, message)


def _ask_onnx(node: ir.Node, schema: defs.OpSchema, version: int) -> dict[str, onnx.TypeProto]:
    names = ["" if v is None else f"i{k}" for k, v in enumerate(node.inputs)]
    proto = onnx.NodeProto(
        op_type=node.op_type,
        domain=node.domain,
        input=names,
        output=[f"o{k}" if v.name != "" else "" for k, v in enumerate(node.outputs)],
    )
    for attr in node.attributes.values():
        ir.serde.serialize_attribute_into(proto.attribute.add(), from_=attr)
    types, data = {}, {}
    for name, value in zip(names, node.inputs, strict=True):
        if value is None or value.type is None:
            continue
        types[name] = type_proto(value)
        if _tells_shape(node, value):
            assert value.const_value is not None
            data[name] = ir.serde.serialize_tensor(value.const_value)
    return dict(
        shape_inference.infer_node_outputs(schema, proto, types, data, opset_imports=_imports(version))
    )


def _tells_shape(node: ir.Node, value: ir.Value) -> bool:
    """Tells whether a rule may read the elements of a constant: integers, and the scales of Resize."""
    if value.dtype not in (ir.DataType.INT64, ir.DataType.INT32) and node.op_type not in (
        "Resize",
        "Upsample",
    ):
        return False
    return is_constant(value) and (size_of(value) or 0) <= DATA_LIMIT


@cache
def _imports(version: int) -> list[onnx.OperatorSetIdProto]:
    return [onnx.OperatorSetIdProto(domain="", version=version)]


def type_proto(value: ir.Value) -> onnx.TypeProto:
    """Returns the type and shape of a value as ONNX writes them."""
    if isinstance(value.type, ir.TensorType):
        return _tensor_proto(int(value.type.dtype), dims_of(value.shape))
    proto = onnx.TypeProto()
    assert value.type is not None
    ir.serde.serialize_type_into(proto, value.type)
    if value.shape is not None:
        ir.serde.serialize_shape_into(proto, value.shape)
    return proto


@lru_cache(maxsize=4096)
def _tensor_proto(dtype: int, sizes: tuple[Dim, ...] | None) -> onnx.TypeProto:
    proto = onnx.TypeProto()
    proto.tensor_type.elem_type = dtype
    if sizes is not None:
        shape = proto.tensor_type.shape
        shape.SetInParent()
        for size in sizes:
            dim = shape.dim.add()
            if isinstance(size, int):
                dim.dim_value = size
            elif size is not None:
                dim.dim_param = size
    return proto


def _parse(proto: onnx.TypeProto | None) -> Inferred:
    if proto is None or proto.WhichOneof("value") is None:
        return Inferred(None, None)
    if proto.WhichOneof("value") != "tensor_type":
        shape = ir.serde.deserialize_type_proto_for_shape(proto)
        return Inferred(ir.serde.deserialize_type_proto_for_type(proto), dims_of(shape))
    tensor = proto.tensor_type
    kind = ir.TensorType(ir.DataType(tensor.elem_type)) if tensor.elem_type else None
    if not tensor.HasField("shape"):
        return Inferred(kind, None)
    return Inferred(kind, tuple(_parse_dim(d) for d in tensor.shape.dim))


def _parse_dim(dim: Any) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) or None


def _cause(problem: Exception) -> str:
    text = str(problem).splitlines()[0].strip()
    for prefix in ("[ShapeInferenceError]", "[TypeInferenceError]"):
        text = text.removeprefix(prefix).strip()
    return text.rstrip(".")
