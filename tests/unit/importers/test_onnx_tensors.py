"""Tensors, types and sizes of ONNX files: what is declared and what is stored must agree."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import load


def model_with(tensor: onnx.TensorProto) -> onnx.ModelProto:
    """A model that passes one initializer to its output."""
    y = helper.make_tensor_value_info("y", tensor.data_type, None)
    graph = helper.make_graph([helper.make_node("Identity", [tensor.name], ["y"])], "g", [], [y], [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def floats(**changes: object) -> onnx.TensorProto:
    tensor = onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
    for field, value in changes.items():
        if field == "dims":
            tensor.ClearField("dims")
            tensor.dims.extend(value)  # type: ignore[arg-type]
        else:
            setattr(tensor, field, value)
    return tensor


def refused(proto: onnx.ModelProto) -> Diagnostic:
    with pytest.raises(EdgekitError) as failure:
        load(proto)
    return failure.value.diagnostics[0]


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"dims": [2, 4]}, "EK103", "the tensor `w` of shape [2, 4] needs 32 bytes and has 24"),
        ({"dims": [2**40]}, "EK103", "needs 4398046511104 bytes and has 24"),
        ({"dims": [2**62, 2**62, 2**62]}, "EK103", "needs"),
        ({"dims": [-2, -3]}, "EK104", "the tensor `w` has a negative size in [-2, -3]"),
        ({"dims": [1] * 65}, "EK107", "the tensor `w` has 65 axes, more than 64"),
        ({"data_type": 0}, "EK104", "the tensor `w` has the unknown element type 0"),
        ({"data_type": 999}, "EK104", "the tensor `w` has the unknown element type 999"),
        ({"data_type": TensorProto.DOUBLE}, "EK103", "needs 48 bytes and has 24"),
        ({"data_type": TensorProto.STRING}, "EK103", "keeps strings in `raw_data`"),
        ({"raw_data": b""}, "EK103", "needs 24 bytes and has 0"),
    ],
)
def test_initializer_that_contradicts_its_data(changes: dict[str, object], code: str, message: str) -> None:
    proto = model_with(floats())
    proto.graph.initializer[0].CopyFrom(floats(**changes))
    found = refused(proto)
    assert found.code == code
    assert message in found.message


def test_data_in_two_fields() -> None:
    tensor = floats()
    tensor.float_data.append(1.0)
    assert "has its data in `raw_data`, `float_data`" in refused(model_with(tensor)).message


def test_data_in_the_field_of_another_dtype() -> None:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.int64_data.append(1)
    assert "of dtype `float` has its data in `int64_data`" in refused(model_with(tensor)).message


_DTYPES = [
    np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64,
    np.float16, np.float32, np.float64, np.complex64, np.complex128,
    ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.float4_e2m1fn,
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_DTYPES), st.lists(st.integers(0, 4), max_size=3), st.booleans())
def test_values_of_every_dtype_arrive(dtype: type, shape: list[int], raw: bool) -> None:
    data = np.arange(int(np.prod(shape)), dtype=np.int64) % 4
    array = data.reshape(shape).astype(dtype)
    tensor = onnx.numpy_helper.from_array(array, "w")
    if not raw:
        values = array.reshape(-1).tolist() if np.dtype(dtype).kind != "V" else array.reshape(-1)
        tensor = helper.make_tensor("w", tensor.data_type, shape, values)
    got = load(model_with(tensor)).ir.graph.initializers["w"].const_value
    assert got is not None
    assert np.array_equal(got.numpy().astype(np.complex128), array.astype(np.complex128))
    assert got.numpy().dtype == np.dtype(dtype)


def test_strings() -> None:
    got = load(model_with(helper.make_tensor("w", TensorProto.STRING, [2], [b"a", b"b"])))
    assert got.ir.graph.initializers["w"].const_value.numpy().tolist() == [b"a", b"b"]  # type: ignore[union-attr]


def sparse(dims: list[int], values: np.ndarray, indices: np.ndarray) -> onnx.ModelProto:
    proto = model_with(floats())
    del proto.graph.initializer[:]
    entry = proto.graph.sparse_initializer.add(dims=dims)
    entry.values.CopyFrom(onnx.numpy_helper.from_array(values, "w"))
    entry.indices.CopyFrom(onnx.numpy_helper.from_array(indices.astype(np.int64), "i"))
    return proto


@pytest.mark.parametrize("indices", [np.array([1, 5]), np.array([[0, 1], [1, 2]])])
def test_sparse_initializer_becomes_dense(indices: np.ndarray) -> None:
    model = load(sparse([2, 3], np.array([7, 8], np.float32), indices))
    tensor = model.ir.graph.initializers["w"].const_value
    assert tensor is not None
    assert tensor.numpy().tolist() == [[0, 7, 0], [0, 0, 8]]


@pytest.mark.parametrize(
    ("dims", "indices", "code"),
    [
        ([2, 3], [1, 6], "EK104"),
        ([2, 3], [1, -1], "EK104"),
        ([2, 3], [1], "EK104"),
        ([2, -3], [1, 2], "EK104"),
        ([2**20, 2**20], [1, 2], "EK115"),
    ],
)
def test_sparse_initializer_that_is_not_valid(dims: list[int], indices: list[int], code: str) -> None:
    assert refused(sparse(dims, np.array([7, 8], np.float32), np.array(indices))).code == code


def test_sparse_constant_becomes_dense() -> None:
    proto = sparse([2, 3], np.array([7, 8], np.float32), np.array([1, 5]))
    node = helper.make_node("Constant", [], ["w"], sparse_value=proto.graph.sparse_initializer[0])
    proto.graph.ClearField("sparse_initializer")
    proto.graph.node.insert(0, node)
    (constant, _) = load(proto).ir.graph
    assert constant.attributes["value"].as_tensor().numpy().tolist() == [[0, 7, 0], [0, 0, 8]]


def identity(type_: onnx.TypeProto, out: onnx.TypeProto | None = None) -> onnx.ModelProto:
    x, y = helper.make_value_info("x", type_), helper.make_value_info("y", out or type_)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tensor_type(*dims: int | str | None, dtype: int = TensorProto.FLOAT) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(dtype, dims)


@pytest.mark.parametrize(
    ("type_", "code", "message"),
    [
        (helper.make_sequence_type_proto(tensor_type(1)), "EK115", "of the kind sequence"),
        (helper.make_optional_type_proto(tensor_type(1)), "EK115", "of the kind optional"),
        (helper.make_map_type_proto(TensorProto.INT64, tensor_type(1)), "EK115", "of the kind map"),
        (helper.make_sparse_tensor_type_proto(1, [4]), "EK115", "of the kind sparse tensor"),
        (onnx.TypeProto(), "EK104", "the input `x` has no type"),
        (tensor_type(1, dtype=0), "EK104", "has no element type"),
        (tensor_type(1, dtype=77), "EK104", "the unknown element type 77"),
        (tensor_type(-5), "EK104", "a negative size"),
        (tensor_type(2**20, 2**20), "EK107", "more than 2147483647 elements"),
        (tensor_type("N", 2**40), "EK107", "more than 2147483647 elements"),
        (tensor_type(*[1] * 65), "EK107", "65 axes"),
    ],
)
def test_input_type(type_: onnx.TypeProto, code: str, message: str) -> None:
    found = refused(identity(type_))
    assert found.code == code
    assert message in found.message


def test_sequence_output() -> None:
    out = helper.make_sequence_type_proto(tensor_type(1))
    assert refused(identity(tensor_type(1), out)).code == "EK115"


def test_type_nested_without_end() -> None:
    proto = identity(tensor_type(1))
    info = proto.graph.value_info.add(name="x2")
    type_ = info.type
    for _ in range(10_000):
        type_ = type_.sequence_type.elem_type
    type_.tensor_type.elem_type = 1
    assert refused(proto).code == "EK107"


def test_symbolic_and_unknown_sizes_are_kept() -> None:
    model = load(identity(tensor_type("N", None, 3)))
    assert model.inputs[0].shape == ("N", None, 3)
    assert model.diagnostics == ()


def test_minus_one_is_an_unknown_size() -> None:
    model = load(identity(tensor_type(-1, 3)))
    assert model.inputs[0].shape == (None, 3)
    assert {str(d.severity) for d in model.diagnostics} == {"note"}


@pytest.mark.parametrize(
    "declared", [tensor_type(2, 4), tensor_type(2), tensor_type(2, 3, dtype=TensorProto.INT32)]
)
@pytest.mark.parametrize("place", ["input", "value_info"])
def test_initializer_that_contradicts_its_declaration(declared: onnx.TypeProto, place: str) -> None:
    proto = model_with(floats())
    getattr(proto.graph, place).append(helper.make_value_info("w", declared))
    assert refused(proto).code == "EK114"
