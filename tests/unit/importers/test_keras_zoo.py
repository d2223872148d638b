"""Keras and TensorFlow models of many kinds, imported in one process; see `keras_zoo.py`."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from edgekit.importers import keras_model
from edgekit.importers.keras_process import Done
from edgekit.ir import Model, origin_of

pytestmark = pytest.mark.keras

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
PACKAGES = ("keras", "tf_keras")
EXACT = [
    f"{p}-{m}" for p in PACKAGES for m in ("cnn", "recurrent", "recurrent_variants", "attention", "masked")
]
EXACT += [f"{p}-{m}" for p in PACKAGES for m in ("named", "selection")]
EXACT += ["saved-tf_keras", "saved-keras", "saved-module", "saved-tf1", "frozen", "hard-sigmoid"]
EXACT += ["lambda-keras", "lambda-tf_keras"]
CORPUS_MODELS = (
    *("ad01", "pretrainedResnet", "str_ww_ref_model", "vww_96"),
    *("keypoint_classifier", "point_history_classifier", "samplenet_tf2"),
)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `keras_zoo.py` fills, once for all tests."""
    for package in ("tensorflow", "tf_keras", "tf2onnx"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"`{package}` is not installed (the keras extra)")
    folder = tmp_path_factory.mktemp("zoo")
    script = Path(__file__).with_name("keras_zoo.py")
    command = [sys.executable, str(script), str(folder), *([str(CORPUS)] if CORPUS.is_dir() else [])]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    return folder


@pytest.fixture
def imported(zoo: Path) -> Callable[[str], Model]:
    return lambda name: keras_model.model_of(Done(**_answer(zoo, name)))


def _answer(zoo: Path, name: str) -> dict[str, Any]:
    return json.loads((zoo / name / "answer.json").read_text())


def _diagnostic(zoo: Path, name: str) -> dict[str, Any]:
    (only,) = _answer(zoo, name)["diagnostics"]
    return only


def _differences(model: Model, data: Path) -> list[tuple[float, float]]:
    """Largest difference from Keras and largest value, per output."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.to_proto().SerializeToString(), options)
    stored = np.load(data)
    feeds = {i.name: stored[i.name] for i in model.inputs}
    found = session.run([o.name for o in model.outputs], feeds)
    expected = [stored[f"out{i}"] for i in range(len(found))]
    assert f"out{len(found)}" not in stored
    for f, e in zip(found, expected, strict=True):
        assert (f.shape, f.dtype) == (e.shape, e.dtype)
    return [_difference(f, e) for f, e in zip(found, expected, strict=True)]


def _difference(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    same = found == expected  # also where both are infinite
    with np.errstate(invalid="ignore"):
        return float(np.abs(np.where(same, 0, found - expected)).max()), float(np.abs(expected).max())


@pytest.mark.parametrize("name", EXACT)
def test_import_computes_what_keras_computes(zoo: Path, imported: Callable[[str], Model], name: str) -> None:
    for difference, largest in _differences(imported(name), zoo / name / "data.npz"):
        assert difference <= 1e-5 * max(1.0, largest)


@pytest.mark.corpus
@pytest.mark.parametrize("name", CORPUS_MODELS)
def test_corpus_model_computes_what_keras_computes(
    zoo: Path, imported: Callable[[str], Model], corpus: Path, name: str
) -> None:
    name = f"corpus-{name}"
    for difference, largest in _differences(imported(name), zoo / name / "data.npz"):
        assert difference <= 1e-5 * max(1.0, largest)


@pytest.mark.parametrize("name", EXACT)
def test_every_node_has_a_unique_id_and_a_scope(imported: Callable[[str], Model], name: str) -> None:
    origins = [origin_of(n) for n in _nodes(imported(name))]
    ids = [o.nodes for o in origins]
    assert len(set(ids)) == len(ids)
    assert all(o.scope for o in origins)


def _nodes(model: Model) -> list[ir.Node]:
    return list(ir.traversal.RecursiveGraphIterator(model.ir.graph))


def _scopes(model: Model) -> dict[str, set[str | None]]:
    scopes: dict[str, set[str | None]] = {}
    for node in _nodes(model):
        scopes.setdefault(node.op_type, set()).add(origin_of(node).scope)
    return scopes


@pytest.mark.parametrize("package", PACKAGES)
def test_convolutional_layers_become_one_op_each_with_the_path_of_the_layer(
    imported: Callable[[str], Model], package: str
) -> None:
    model = imported(f"{package}-cnn")
    assert [(i.name, i.shape) for i in model.inputs] == [("image", ("batch", 16, 16, 3))]
    assert [(o.name, o.shape) for o in model.outputs] == [("probs", ("batch", 10))]
    assert model.opset == 18
    (image,) = (
        n.outputs[0].shape for n in model.ir.graph if origin_of(n).scope == "first" and n.op_type == "Conv"
    )
    assert [str(d) for d in image or ()] == ["batch", "8", "8", "8"]
    scopes = _scopes(model)
    layers = {"first", "depthwise_conv2d", "separable_conv2d", "grouped"}
    assert scopes["Conv"] == layers
    assert scopes["BatchNormalization"] == {"batch_normalization"}
    assert scopes["Resize"] == {"up_sampling2d", "up_sampling2d_1"}
    assert scopes["Softmax"] == {"probs"}


@pytest.mark.parametrize("package", PACKAGES)
def test_recurrent_layers_become_ops(imported: Callable[[str], Model], package: str) -> None:
    scopes = _scopes(imported(f"{package}-recurrent"))
    assert scopes["LSTM"] == {"lstm", "bidirectional"}
    assert scopes["GRU"] == {"gru", "bidirectional_1"}
    variants = imported(f"{package}-recurrent_variants")
    assert {"LSTM", "GRU", "RNN"} <= set(_scopes(variants))
    assert not {"Loop", "Scan"} & set(_scopes(variants))
    assert variants.inputs[0].shape == ("batch", "seq_1", 6)


@pytest.mark.parametrize("package", PACKAGES)
def test_masked_layer_stays_a_loop_whose_body_has_its_scope(
    imported: Callable[[str], Model], package: str
) -> None:
    model = imported(f"{package}-masked")
    loop = next(n for n in model.ir.graph if n.op_type in ("Loop", "Scan"))
    body = loop.attributes["body"].as_graph()
    assert {(origin_of(n).scope or "").partition("/")[0] for n in body} == {"gru"}


@pytest.mark.parametrize("package", PACKAGES)
def test_several_inputs_and_outputs_keep_names_order_and_types(
    imported: Callable[[str], Model], package: str
) -> None:
    model = imported(f"{package}-attention")
    assert [(i.name, i.dtype.name) for i in model.inputs] == [("tokens", "int32"), ("other", "float32")]
    assert [o.name for o in model.outputs] == ["a", "b", "block", "seq"]
    scopes = _scopes(model)
    assert scopes["LayerNormalization"] == {"layer_normalization"}
    assert "block/d1" in scopes["MatMul"] | scopes.get("Gemm", set())
    assert {"multi_head_attention"} <= {(s or "").partition("/")[0] for s in scopes["Softmax"]}


@pytest.mark.parametrize("package", PACKAGES)
def test_dictionaries_unused_inputs_and_inputs_as_outputs(
    imported: Callable[[str], Model], package: str
) -> None:
    model = imported(f"{package}-named")
    assert [(i.name, i.shape) for i in model.inputs] == [("a", (2, 4)), ("unused", (2, 4))]
    assert [o.name for o in model.outputs] == ["p", "z"]
    assert _scopes(model)["Gemm"] == {"shared"}


@pytest.mark.parametrize("package", PACKAGES)
def test_selection_does_not_multiply(imported: Callable[[str], Model], package: str) -> None:
    model = imported(f"{package}-selection")
    session = onnxruntime.InferenceSession(model.to_proto().SerializeToString())
    (made,) = session.run(None, {"x": np.array([[-90.0, 1.0, 2.0]], np.float32)})
    np.testing.assert_array_equal(made, [[np.inf, 1.0, 2.0]])


def test_saved_models_know_their_layers(imported: Callable[[str], Model]) -> None:
    assert {"first", "grouped"} <= _all_scopes(imported("saved-tf_keras"))
    assert any("separable_conv2d" in (s or "") for s in _all_scopes(imported("saved-keras")))
    assert imported("saved-keras").inputs[0].shape == ("batch", 16, 16, 3)
    module = imported("saved-module")
    assert [(i.name, i.shape) for i in module.inputs] == [("b", (2,)), ("x", ("x_0", 3))]
    assert [o.name for o in module.outputs] == ["total", "y"]


def _all_scopes(model: Model) -> set[str | None]:
    return {origin_of(n).scope for n in _nodes(model)}


def test_frozen_graph_has_the_scopes_of_its_names(imported: Callable[[str], Model]) -> None:
    model = imported("frozen")
    assert [origin_of(n).scope for n in _nodes(model)] == ["sub", "block", "y"]
    assert model.inputs[0].shape == (1, 4, 3)


@pytest.mark.parametrize("package", PACKAGES)
def test_layer_with_state_is_refused_by_name(zoo: Path, package: str) -> None:
    found = _diagnostic(zoo, f"{package}-stateful")
    assert (found["code"], found["where"]["scope"]) == ("EK112", "memory")
    assert "keeps its state" in found["message"]


@pytest.mark.parametrize("package", PACKAGES)
def test_op_without_onnx_form_is_refused_with_its_layer(zoo: Path, package: str) -> None:
    found = _diagnostic(zoo, f"{package}-unsupported")
    assert (found["code"], found["where"]["scope"]) == ("EK112", "fancy")
    assert "`ScaleAndTranslate`" in found["message"]


def test_unknown_layer_names_the_layer_and_both_loaders(zoo: Path) -> None:
    found = _diagnostic(zoo, "custom")
    assert (found["code"], found["where"]["scope"]) == ("EK112", "mine")
    assert "uses `Custom`" in found["message"]
    assert [n.partition(" ")[0] for n in found["notes"][1:]] == ["tf-keras", "Keras"]


def test_weights_alone_are_refused_with_help(zoo: Path) -> None:
    found = _diagnostic(zoo, "weights")
    assert found["code"] == "EK112"
    assert "weights only" in found["message"]
    assert "model.save" in found["help"]


def test_saved_model_that_runs_python_is_refused(zoo: Path) -> None:
    found = _diagnostic(zoo, "saved-python")
    assert found["code"] == "EK111"
    assert "PyFunc" in found["message"]


@pytest.mark.parametrize("name", [f"damaged-{k}-{i}" for k in ("saved", "graph") for i in range(2)])
def test_damaged_graphs_are_refused(zoo: Path, name: str) -> None:
    assert _diagnostic(zoo, name)["code"] == "EK103"


def test_files_of_keras_2_are_loaded_by_tf_keras(zoo: Path) -> None:
    assert _answer(zoo, "hard-sigmoid")["facts"]["loader"].startswith("tf-keras")
    assert _answer(zoo, "keras-cnn")["facts"]["loader"].startswith("Keras 3")
