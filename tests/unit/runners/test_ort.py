from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgekit.diagnostics import EdgekitError
from edgekit.runners import ALL_INTERMEDIATES, runner_for
from edgekit.runners.ort import OrtRunner, _packed, _unpacked


def model(nodes: list[onnx.NodeProto], inputs: dict, outputs: dict, constants: dict | None = None) -> bytes:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, *spec) for n, spec in inputs.items()],
        [helper.make_tensor_value_info(n, *spec) for n, spec in outputs.items()],
        [onnx.numpy_helper.from_array(a, n) for n, a in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return made.SerializeToString()


def chain() -> bytes:
    node = helper.make_node
    return model(
        [node("Neg", ["x"], ["a"]), node("Exp", ["a"], ["b"]), node("Relu", ["b"], ["y"])],
        {"x": (TensorProto.FLOAT, ["N", 2])},
        {"y": (TensorProto.FLOAT, ["N", 2])},
    )


def cast(source: int, target: int) -> bytes:
    return model(
        [helper.make_node("Cast", ["x"], ["y"], to=target)], {"x": (source, [5])}, {"y": (target, [5])}
    )


def test_ports_and_outputs() -> None:
    runner = OrtRunner()
    ports = runner.ports(chain())
    assert (ports.inputs[0].name, ports.inputs[0].dtype, ports.inputs[0].shape) == (
        "x",
        np.float32,
        (None, 2),
    )
    x = np.array([[1, -2]], np.float32)
    np.testing.assert_allclose(runner.run(chain(), {"x": x})["y"], np.exp(-x), rtol=1e-6)


def test_nan_and_infinities_are_kept() -> None:
    payload = model(
        [helper.make_node("Identity", ["x"], ["y"])],
        {"x": (TensorProto.FLOAT, [3])},
        {"y": (TensorProto.FLOAT, [3])},
    )
    x = np.array([np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(OrtRunner().run(payload, {"x": x})["y"], x)


def test_intermediates_come_after_the_outputs() -> None:
    runner, x = OrtRunner(), np.zeros((1, 2), np.float32)
    assert list(runner.run(chain(), {"x": x}, intermediates=["b", "nowhere"])) == ["y", "b"]
    assert list(runner.run(chain(), {"x": x}, intermediates=ALL_INTERMEDIATES)) == ["y", "a", "b"]
    assert list(runner.run(chain(), {"x": x})) == ["y"]


def test_external_data_is_found_also_with_intermediates(tmp_path: Path) -> None:
    weights = np.arange(4, dtype=np.float32).reshape(2, 2)
    proto = onnx.load_model_from_string(
        model(
            [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Neg", ["a"], ["y"])],
            {"x": (TensorProto.FLOAT, [1, 2])},
            {"y": (TensorProto.FLOAT, [1, 2])},
            {"w": weights},
        )
    )
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    x = np.array([[1, 2]], np.float32)
    results = OrtRunner().run(tmp_path / "m.onnx", {"x": x}, intermediates=["a"])
    np.testing.assert_array_equal(results["a"], x @ weights)
    np.testing.assert_array_equal(results["y"], -(x @ weights))


def test_links_into_a_store_of_blobs_are_followed(tmp_path: Path) -> None:
    """Download caches lay models out like this."""
    weights = np.ones((2, 2), np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Neg", ["a"], ["y"])]
    io = {"x": (TensorProto.FLOAT, [1, 2])}, {"y": (TensorProto.FLOAT, [1, 2])}
    proto = onnx.load_model_from_string(model(nodes, *io, {"w": weights}))
    blobs, shown = tmp_path / "blobs", tmp_path / "shown"
    blobs.mkdir()
    shown.mkdir()
    onnx.save(proto, blobs / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    for name, blob in (("m.onnx", "0a"), ("m.data", "0b")):
        (blobs / name).rename(blobs / blob)
        (shown / name).symlink_to(blobs / blob)
    x = {"x": np.ones((1, 2), np.float32)}
    with runner_for("onnx") as runner:
        assert runner.run(shown / "m.onnx", x)["y"].tolist() == [[-2, -2]]


def test_a_changed_file_is_loaded_anew(tmp_path: Path) -> None:
    path, runner, x = tmp_path / "m.onnx", OrtRunner(), np.ones((1, 2), np.float32)
    path.write_bytes(chain())
    runner.run(path, {"x": x})
    path.write_bytes(cast(TensorProto.FLOAT, TensorProto.INT32))
    assert runner.ports(path).outputs[0].dtype == np.int32


@pytest.mark.parametrize("name", ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "INT4", "UINT4"])
def test_types_that_numpy_does_not_know_go_in_and_out(name: str) -> None:
    kind = getattr(TensorProto, name)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    x = np.array([0, 1, 2, 3, 7], np.float32)  # an odd number: half a byte is left over
    out = OrtRunner().run(cast(TensorProto.FLOAT, kind), {"x": x})["y"]
    assert out.dtype == dtype
    np.testing.assert_array_equal(out.astype(np.float32), x)
    back = OrtRunner().run(cast(kind, TensorProto.FLOAT), {"x": x.astype(dtype)})["y"]
    np.testing.assert_array_equal(back, x)


def test_negative_four_bit_integers_keep_their_sign() -> None:
    x = np.array([-8, -1, 0, 7, -3], np.float32)
    out = OrtRunner().run(cast(TensorProto.FLOAT, TensorProto.INT4), {"x": x})["y"]
    np.testing.assert_array_equal(out.astype(np.float32), x)


@given(st.lists(st.integers(-8, 7)))
def test_packing_four_bits_round_trips(values: list[int]) -> None:
    array = np.array(values).astype(ml_dtypes.int4)
    packed = _packed(array, 4)
    assert packed.nbytes == -(-len(values) // 2)
    np.testing.assert_array_equal(_unpacked(packed, len(values), array.dtype, 4), array)


def test_text_goes_in_and_out() -> None:
    payload = model(
        [helper.make_node("Identity", ["x"], ["y"])],
        {"x": (TensorProto.STRING, [2])},
        {"y": (TensorProto.STRING, [2])},
    )
    assert OrtRunner().run(payload, {"x": np.array(["a", "ü"], object)})["y"].tolist() == ["a", "ü"]


@pytest.mark.parametrize("payload", [b"", b"garbage", b"\x08\x0a", chain()[:-20]])
def test_what_is_no_model_is_refused(payload: bytes) -> None:
    with pytest.raises(EdgekitError) as error:
        OrtRunner().ports(payload)
    assert error.value.diagnostics[0].code == "EK503"
    assert error.value.diagnostics[0].notes


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError) as error:
        OrtRunner().ports(tmp_path / "none.onnx")
    assert error.value.diagnostics[0].where.file == str(tmp_path / "none.onnx")


def test_a_failure_while_running_is_refused_and_the_next_run_works() -> None:
    payload = model(
        [helper.make_node("Gather", ["w", "i"], ["y"])],
        {"i": (TensorProto.INT64, [1])},
        {"y": (TensorProto.FLOAT, [1])},
        {"w": np.ones(3, np.float32)},
    )
    runner = OrtRunner()
    with pytest.raises(EdgekitError) as error:
        runner.run(payload, {"i": np.array([9])})
    assert error.value.diagnostics[0].code == "EK503"
    assert runner.run(payload, {"i": np.array([2])})["y"].tolist() == [1.0]


def test_sequences_are_refused_with_their_kind() -> None:
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [sequence],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with pytest.raises(EdgekitError, match="only tensors"):
        OrtRunner().ports(made.SerializeToString())
