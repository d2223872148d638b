"""Keeps ONNX Runtime exact where it multiplies uint8 by int8.

On x86-64 without VNNI its kernels add two such products in 16 bits and saturate: 255 * -128 * 2 is not
-65280 but -32768 (onnxruntime.ai, "Quantize ONNX models", on U8S8 and AVX2). Its kernels for two uint8
operands are exact on every CPU, and `w - z` is `(w + 128) - (z + 128)`: so int8 weights are shifted to uint8,
as ONNX Runtime's own `Avx2WeightS8ToU8Transformer` does, which runs only with graph optimisations on.
"""

from __future__ import annotations

import functools
import mmap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.runners.base import Payload

OPERANDS: Mapping[str, tuple[int, int, int]] = {
    "MatMulInteger": (0, 1, 3),
    "ConvInteger": (0, 1, 3),
    "QLinearMatMul": (0, 3, 5),
    "QLinearConv": (0, 3, 5),
    "QGemm": (0, 3, 5),
}
"""Where each op has its first factor, its second, and the zero point of the second."""
_FIRST_POINT = 2
"""Where each of them has the zero point of the first factor, of the same type."""
_DOMAINS = {"QGemm": "com.microsoft"}

_HALF = 128


def exact_form(payload: Payload, saturates: Callable[[], bool]) -> Payload:
    """Returns a model whose integer products are exact in ONNX Runtime on this CPU.

    Args:
        payload: A model.
        saturates: Tells whether this CPU's kernels saturate; asked only for a model with such products.

    Returns:
        The model itself where nothing needs to change, else its bytes; data outside the file stays there.
    """
    if not _may_hold(payload) or not saturates():
        return payload
    import onnx

    if isinstance(payload, bytes):
        model = onnx.load_model_from_string(payload)
    else:
        model = onnx.load(payload, load_external_data=False)
    kinds = _kinds(onnx.shape_inference.infer_shapes(model).graph)
    changed = [_shift(graph, kinds, f"edgekit/{i}") for i, graph in enumerate(_graphs(model.graph))]
    return model.SerializeToString() if any(changed) else payload


@functools.cache
def products_saturate() -> bool:
    """Tells, by trying, whether ONNX Runtime saturates products of uint8 and int8 on this CPU."""
    import onnxruntime as ort
    from onnx import helper, numpy_helper

    factors = np.full((1, 64), 255, np.uint8), np.full((64, 1), -_HALF, np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("a", 2, [1, 64])],
        [helper.make_tensor_value_info("y", 6, [1, 1])],
        [numpy_helper.from_array(factors[1], "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"a": factors[0]})
    return int(result[0, 0]) != 255 * -_HALF * 64


def _may_hold(payload: Payload) -> bool:
    """Looks for the names of the ops in the file, which costs less than parsing it."""
    names = [name.encode() for name in OPERANDS]
    if isinstance(payload, bytes):
        return any(name in payload for name in names)
    with Path(payload).open("rb") as file:
        if not file.seek(0, 2):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return any(view.find(name) >= 0 for name in names)


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _kinds(graph: Any) -> dict[str, int]:
    """Returns the element types of all values, those of nested graphs included."""
    kinds: dict[str, int] = {}
    for each in _graphs(graph):
        ports = (*each.input, *each.output, *each.value_info)
        kinds |= {p.name: p.type.tensor_type.elem_type for p in ports}
        kinds |= {t.name: t.data_type for t in each.initializer}
    return kinds


def _shift(graph: Any, kinds: Mapping[str, int], tag: str) -> bool:
    """Shifts the int8 factors of a graph's products to uint8; new names start with the tag."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    shifted: dict[str, str] = {}

    def moved(name: str) -> str:
        if name not in shifted:
            wide, sum_, shifted[name] = (f"{tag}/{name}/{part}" for part in ("wide", "sum", "uint8"))
            nodes.append(helper.make_node("Cast", [name], [wide], to=TensorProto.INT32))
            nodes.append(helper.make_node("Add", [wide, half], [sum_]))
            nodes.append(helper.make_node("Cast", [sum_], [shifted[name]], to=TensorProto.UINT8))
        return shifted[name]

    half, zero = f"{tag}/128", f"{tag}/zero_point"
    for node in graph.node:
        first, second, point = OPERANDS.get(node.op_type, (0, 0, 0))
        named = (first, _FIRST_POINT) if len(node.input) > _FIRST_POINT else (first,)
        if (
            second
            and node.domain == _DOMAINS.get(node.op_type, "")
            and TensorProto.UINT8 in {kinds.get(node.input[i]) for i in named}
            and kinds.get(node.input[second]) == TensorProto.INT8
        ):
            node.input.extend([""] * (point + 1 - len(node.input)))
            node.input[second] = moved(node.input[second])
            node.input[point] = moved(node.input[point]) if node.input[point] else zero
        nodes.append(node)
    if not shifted:
        return False
    graph.initializer.append(numpy_helper.from_array(np.asarray(_HALF, np.int32), half))
    graph.initializer.append(numpy_helper.from_array(np.asarray(_HALF, np.uint8), zero))
    kept = [type(n)() for n in nodes]
    for copy, node in zip(kept, nodes, strict=True):
        copy.CopyFrom(node)
    del graph.node[:]
    graph.node.extend(kept)
    return True
