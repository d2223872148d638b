"""The golden models are what their cards say, and carry nothing of the machine they came from."""

from __future__ import annotations

import ast
import hashlib
import re
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from ruamel.yaml import YAML
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "golden" / "models"
IDS = sorted(path.name for path in MODELS.iterdir() if path.is_dir())
TORCH_IDS = [name for name in IDS if name.endswith("_torch")]
EXPECTED_IDS = [
    "detector_torch",
    "digits_cnn_keras",
    "digits_cnn_torch",
    "digits_gru_torch",
    "digits_lstm_keras",
    "mobile_se_torch",
]
SAMPLES = 32
MODEL_LIMIT = 300_000
TOTAL_LIMIT = 3_000_000
TOLERANCE = 1e-5
TRACE_KEY = "pkg.torch.onnx.stack_trace"
ABSOLUTE = re.compile(rb"(?:/(?:home|root|work|tmp|usr|opt|var|mnt|Users|private)/|[A-Za-z]:\\+Users\\)")
FRAME = re.compile(r'File "([^"]+)", line (\d+), in \w+\n\s*(.+)')

Array = npt.NDArray[np.generic]


def _card(name: str) -> dict:
    return YAML(typ="safe").load(MODELS / name / "card.yaml")


def _samples(name: str) -> dict[str, Array]:
    return load_file(MODELS / name / "samples.safetensors")


def _session(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        MODELS / name / "model.onnx", options, providers=["CPUExecutionProvider"]
    )


def _expected(name: str) -> list[Array]:
    samples = _samples(name)
    return [samples[f"output:{port['name']}"] for port in _card(name)["outputs"]]


def _run_one_by_one(name: str) -> list[Array]:
    session, card, samples = _session(name), _card(name), _samples(name)
    outputs = [port["name"] for port in card["outputs"]]
    inputs = [port["name"] for port in card["inputs"]]
    runs = [session.run(outputs, {x: samples[x][i : i + 1] for x in inputs}) for i in range(SAMPLES)]
    return [np.concatenate(values) for values in zip(*runs, strict=True)]


def test_all_models_are_there() -> None:
    assert IDS == EXPECTED_IDS


def test_the_whole_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) < TOTAL_LIMIT


@pytest.mark.parametrize("name", IDS)
def test_card_lists_every_file_with_its_hash_and_size(name: str) -> None:
    card = _card(name)
    assert card["id"] == name
    listed = {entry["path"]: (entry["sha256"], entry["bytes"]) for entry in card["files"]}
    found = {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in (MODELS / name).iterdir()
        if path.name != "card.yaml"
    }
    assert listed == found
    assert {"model.onnx", "samples.safetensors"} <= set(listed)


@pytest.mark.parametrize("name", IDS)
def test_card_says_where_the_data_comes_from(name: str) -> None:
    card = _card(name)
    for source in card["data"]:
        assert source["licence"] in {"CC-BY-4.0", "CC0-1.0", "public domain"}
        assert source["package"]
        assert source["version"]
        assert source["creators"]
        assert source["source"].startswith("https://")
    assert (ROOT / card["script"]).is_file()
    assert card["accuracy"]["samples"] == card["split"]["held_out"]


@pytest.mark.parametrize("name", IDS)
def test_model_files_are_small(name: str) -> None:
    sizes = {path.name: path.stat().st_size for path in (MODELS / name).glob("model.*")}
    assert all(size < MODEL_LIMIT for size in sizes.values()), sizes


@pytest.mark.parametrize("name", IDS)
def test_onnx_checker_accepts_the_model(name: str) -> None:
    onnx.checker.check_model(onnx.load(MODELS / name / "model.onnx"), full_check=True)


@pytest.mark.parametrize("name", IDS)
def test_card_ports_are_the_models(name: str) -> None:
    graph, card = onnx.load(MODELS / name / "model.onnx").graph, _card(name)
    for values, ports in ((graph.input, card["inputs"]), (graph.output, card["outputs"])):
        declared = [
            (v.name, [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values
        ]
        assert declared == [(port["name"], port["shape"]) for port in ports]
        assert {v.type.tensor_type.elem_type for v in values} == {onnx.TensorProto.FLOAT}
        for port in ports:
            assert port["batch"] == ("symbolic" if port["shape"][0] == "N" else "fixed")
            assert port["shape"][0] in {"N", 1}


def test_fixed_and_symbolic_batches_both_occur() -> None:
    assert {_card(name)["inputs"][0]["batch"] for name in IDS} == {"fixed", "symbolic"}


@pytest.mark.parametrize("name", IDS)
def test_samples_have_the_ports_names_and_shapes(name: str) -> None:
    card, samples = _card(name), _samples(name)
    ports = {port["name"]: port for port in card["inputs"]}
    ports |= {f"output:{port['name']}": port for port in card["outputs"]}
    assert set(samples) == {*ports, "labels"}
    for key, port in ports.items():
        assert samples[key].shape == (SAMPLES, *port["shape"][1:])
        assert samples[key].dtype == np.float32
        assert np.isfinite(samples[key]).all()
    assert samples["labels"].dtype == np.int64
    assert len(samples["labels"]) == card["samples"]["count"] == SAMPLES


@pytest.mark.parametrize("name", IDS)
def test_samples_are_all_different(name: str) -> None:
    inputs = _samples(name)[_card(name)["inputs"][0]["name"]]
    assert len({sample.tobytes() for sample in inputs}) == SAMPLES


@pytest.mark.parametrize("name", IDS)
def test_onnxruntime_reproduces_the_expected_outputs(name: str) -> None:
    for got, expected in zip(_run_one_by_one(name), _expected(name), strict=True):
        np.testing.assert_allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", IDS)
def test_a_symbolic_batch_takes_all_samples_at_once(name: str) -> None:
    port, samples = _card(name)["inputs"][0], _samples(name)
    if port["batch"] == "fixed":
        with pytest.raises(Exception, match="invalid dimensions"):
            _session(name).run(None, {port["name"]: samples[port["name"]]})
        return
    got = _session(name).run(None, {port["name"]: samples[port["name"]]})
    for values, expected in zip(got, _expected(name), strict=True):
        np.testing.assert_allclose(values, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", [name for name in IDS if name != "detector_torch"])
def test_classifiers_agree_with_the_labels_as_often_as_the_card_says(name: str) -> None:
    labels = _samples(name)["labels"]
    assert len(set(labels.tolist())) > 4
    right = (_run_one_by_one(name)[0].argmax(axis=1) == labels).mean()
    assert right == pytest.approx(_card(name)["samples"]["accuracy"], abs=1e-4)


def test_the_detector_agrees_with_the_labels_as_often_as_the_card_says() -> None:
    name = "detector_torch"
    class_maps, box_maps = _run_one_by_one(name)
    hits = found = present = 0
    for classes, boxes, rows in zip(class_maps, box_maps, _samples(name)["labels"], strict=True):
        truths = {tuple(row) for row in rows.tolist() if row[0] >= 0}
        present += len(truths)
        for label, box in _read_scene(classes, boxes):
            found += 1
            matches = {t for t in truths if t[0] == label and _iou(np.array(t[1:]), box) >= 0.5}
            hits += bool(matches)
            truths -= matches
    assert 2 * hits / (found + present) == pytest.approx(_card(name)["samples"]["accuracy"], abs=1e-4)


def _read_scene(classes: Array, boxes: Array) -> list[tuple[int, Array]]:
    """The detections of one scene, by the reading rule of golden/README.md."""
    probability = np.exp(classes) / np.exp(classes).sum(axis=0)
    row, column = np.mgrid[0:6, 0:6]
    centre = np.stack([column + boxes[0], row + boxes[1]]) * 8
    corners = np.concatenate([centre - boxes[2:] * 24, centre + boxes[2:] * 24]).reshape(4, 36).T
    scores, labels = probability[:10].max(axis=0).ravel(), probability[:10].argmax(axis=0).ravel()
    kept: list[int] = []
    for cell in np.argsort(-scores):
        if scores[cell] >= 0.5 and all(_iou(corners[cell], corners[other]) <= 0.5 for other in kept):
            kept.append(int(cell))
    return [(int(labels[cell]), corners[cell]) for cell in kept]


def _iou(a: Array, b: Array) -> float:
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


@pytest.mark.parametrize("name", IDS)
def test_accuracy_is_far_above_chance(name: str) -> None:
    assert _card(name)["accuracy"]["value"] > 0.95


@pytest.mark.parametrize("name", IDS)
def test_no_file_names_a_place_on_a_machine(name: str) -> None:
    for path in (MODELS / name).glob("*"):
        for part, content in _contents(path):
            assert not (found := ABSOLUTE.search(content)), (path.name, part, found)


def _contents(path: Path) -> list[tuple[str, bytes]]:
    """The bytes of a file, or of each member when it is a zip archive."""
    if not zipfile.is_zipfile(path):
        return [("", path.read_bytes())]
    with zipfile.ZipFile(path) as archive:
        return [(member, archive.read(member)) for member in archive.namelist()]


@pytest.mark.parametrize("name", TORCH_IDS)
def test_each_node_names_its_scope_and_a_source_line_that_is_still_there(name: str) -> None:
    source = (ROOT / "scripts/golden/nets.py").read_text(encoding="utf-8").splitlines()
    for node in onnx.load(MODELS / name / "model.onnx").graph.node:
        metadata = {entry.key: entry.value for entry in node.metadata_props}
        assert ast.literal_eval(metadata["pkg.torch.onnx.name_scopes"]), node.name
        frames = FRAME.findall(metadata[TRACE_KEY])
        assert all(not file.startswith("/") and ":" not in file for file, _, _ in frames), frames
        ours = [(int(line), text) for file, line, text in frames if file == "scripts/golden/nets.py"]
        assert ours, node.name
        for line, text in ours:
            assert source[line - 1].strip() == text.strip(), (node.name, line)


@pytest.mark.torch
@pytest.mark.parametrize("name", [n for n in IDS if (MODELS / n / "model.pt2").exists()])
def test_the_exported_program_computes_the_same(name: str) -> None:
    torch = pytest.importorskip("torch", reason="needs the torch extra")
    net = torch.export.load(MODELS / name / "model.pt2").module()
    inputs = _samples(name)[_card(name)["inputs"][0]["name"]]
    with torch.no_grad():
        runs = [net(torch.from_numpy(inputs[i : i + 1])) for i in range(SAMPLES)]
    for i, expected in enumerate(_expected(name)):
        got = np.concatenate([(run if isinstance(run, tuple) else (run,))[i].numpy() for run in runs])
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=TOLERANCE)


@pytest.mark.keras
@pytest.mark.parametrize("name", [n for n in IDS if (MODELS / n / "model.keras").exists()])
def test_the_keras_file_computes_the_same(name: str) -> None:
    keras = pytest.importorskip("keras", reason="needs the keras extra")
    net = keras.models.load_model(MODELS / name / "model.keras")
    got = np.asarray(net(_samples(name)[_card(name)["inputs"][0]["name"]], training=False))
    np.testing.assert_allclose(got, _expected(name)[0], rtol=1e-4, atol=TOLERANCE)
