from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.artifact import Artifact, ArtifactFile, Binding, Source
from edgekit.diagnostics import EdgekitError
from edgekit.ir import TensorSpec
from edgekit.runners import runner_for
from edgekit.runners.execute import ArtifactRunner, run_artifact

Make = Callable[..., bytes]
F32, I32, I64 = (np.dtype(d) for d in (np.float32, np.int32, np.int64))


def artifact(payload: bytes, source: TensorSpec, given: Binding, out: TensorSpec, made: Binding) -> Artifact:
    return Artifact(
        "tflite",
        (ArtifactFile.of("m.tflite", payload),),
        Source("m", "onnx"),
        (source,),
        (out,),
        (given,),
        (made,),
        tensor_map={"mid": Binding("t", F32, (0, 2, 1))},
    )


@pytest.fixture
def permuted(make_tflite: Make) -> Artifact:
    """Negates twice; the source is [1, 2, 3], the artifact [1, 3, 2]."""
    tensors = dict.fromkeys(("x_t", "t", "y_t"), ("FLOAT32", (1, 3, 2), None))
    payload = make_tflite(tensors, [("NEG", ["x_t"], ["t"]), ("EXP", ["t"], ["y_t"])], ["x_t"], ["y_t"])
    x, y = TensorSpec("x", F32, (1, 2, 3)), TensorSpec("y", F32, (1, 2, 3))
    perm = (0, 2, 1)
    return artifact(payload, x, Binding("x_t", F32, perm), y, Binding("y_t", F32, perm))


def test_layouts_are_the_source_models(permuted: Artifact) -> None:
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    with runner_for("tflite", isolate=False) as runner:
        results = run_artifact(permuted, {"x": x}, runner, intermediates=["mid", "nowhere"])
    assert list(results) == ["y", "mid"]
    np.testing.assert_allclose(results["y"], np.exp(-x), rtol=1e-6)
    np.testing.assert_array_equal(results["mid"], -x)


def test_a_runner_that_is_given_stays_open(permuted: Artifact) -> None:
    x = {"x": np.zeros((1, 2, 3), np.float32)}
    with runner_for("tflite") as runner:
        for _ in range(2):
            run_artifact(permuted, x, runner)
        process = runner._child._process  # type: ignore[attr-defined]
        assert process.poll() is None


def test_inputs_are_checked_in_the_source_models_terms(permuted: Artifact) -> None:
    with (
        ArtifactRunner(permuted, isolate=False) as runner,
        pytest.raises(EdgekitError, match=r"`x` has shape \[1, 3, 2\] instead of \[1, 2, 3\]"),
    ):
        runner.run({"x": np.zeros((1, 3, 2), np.float32)})


@pytest.fixture
def narrowed(make_tflite: Make) -> Artifact:
    """Keeps the source's int64 as int32."""
    payload = make_tflite(dict.fromkeys("xy", ("INT32", (2,), None)), [("NEG", ["x"], ["y"])], ["x"], ["y"])
    spec, bound = TensorSpec("x", I64, (2,)), Binding("x", I32)
    return artifact(payload, spec, bound, TensorSpec("y", I64, (2,)), Binding("y", I32))


def test_dtypes_are_the_source_models(narrowed: Artifact) -> None:
    with ArtifactRunner(narrowed, isolate=False) as runner:
        out = runner.run({"x": np.array([5, -7])})["y"]
    assert out.dtype == np.int64
    assert out.tolist() == [-5, 7]


def test_a_value_that_the_artifact_cannot_take_is_refused(narrowed: Artifact) -> None:
    with ArtifactRunner(narrowed, isolate=False) as runner, pytest.raises(EdgekitError) as error:
        runner.run({"x": np.array([5, 2**40])})
    assert error.value.diagnostics[0].code == "EK505"


def test_an_output_that_the_artifact_lacks_is_missing(make_tflite: Make) -> None:
    payload = make_tflite(dict.fromkeys("xy", ("FLOAT32", (1,), None)), [("NEG", ["x"], ["y"])], ["x"], ["y"])
    spec = TensorSpec("x", F32, (1,))
    wrong = artifact(payload, spec, Binding("x", F32), TensorSpec("y", F32, (1,)), Binding("other", F32))
    with ArtifactRunner(wrong, isolate=False) as runner, pytest.raises(EdgekitError) as error:
        runner.run({"x": np.zeros(1, np.float32)})
    assert error.value.diagnostics[0].code == "EK603"


def test_files_that_belong_together_are_laid_out_together(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [onnx.numpy_helper.from_array(np.array([1, 2], np.float32), "w")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    files = tuple(ArtifactFile.of(n, (tmp_path / n).read_bytes()) for n in ("m.onnx", "m.data"))
    x, y = TensorSpec("x", F32, (2,)), TensorSpec("y", F32, (2,))
    split = Artifact(
        "onnx", files, Source("m", "onnx"), (x,), (y,), (Binding("x", F32),), (Binding("y", F32),)
    )
    for made in (split, Artifact.open(split.save(tmp_path / "out"))):
        with ArtifactRunner(made, isolate=False) as runner:
            assert runner.run({"x": np.zeros(2, np.float32)})["y"].tolist() == [1, 2]


def test_an_unknown_backend_has_no_runner(permuted: Artifact) -> None:
    with pytest.raises(EdgekitError) as error:
        runner_for("hls")
    assert error.value.diagnostics[0].code == "EK204"
