"""TFLite files as sources: names, origins, labels; damaged and hostile ones."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import api
from edgekit.artifact import Verdict
from edgekit.diagnostics import EdgekitError
from edgekit.importers.tflite import translate
from edgekit.importers.tflite.metadata import metadata_of
from edgekit.ir import LABELS_KEY, Quant, origin_of
from edgekit.ir.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.emit import Signature, emit
from edgekit.tflite.reader import read_tflite

INT8 = np.dtype(np.int8)


def small_net(metadata: dict[str, bytes] | None = None) -> bytes:
    """Two fully connected layers and a Softmax in int8; the second layer's bias is large."""
    rng = np.random.default_rng(3)
    quants = [Quant((float(np.float32(s)),), (z,)) for s, z in ((0.02, 4), (0.05, -128), (0.2, 3))]
    quants.append(Quant((1 / 256,), (-128,)))
    x, h, y, p = (Value(INT8, (None, n), None, q) for n, q in zip((6, 8, 4, 4), quants, strict=True))
    ops = []
    for a, b, act in ((x, h, "RELU"), (h, y, "NONE")):
        shape = (b.shape[1] or 0, a.shape[1] or 0)
        assert a.quant is not None
        w = Value(INT8, shape, rng.integers(-127, 128, shape, dtype=np.int8), Quant((0.01,), (0,)))
        size = 1 << (12 if act == "RELU" else 23)
        data = rng.integers(-size, size, shape[0]).astype(np.int32)
        scale = float(np.float32(a.quant.scale[0]) * np.float32(0.01))
        bias = Value(data.dtype, data.shape, data, Quant((scale,), (0,)))
        attrs = {"fused_activation_function": act, "keep_num_dims": False}
        ops.append(Emitted("FULLY_CONNECTED", (a, w, bias), (b,), attrs))
    ops.append(Emitted("SOFTMAX", (y,), (p,), {"beta": 1.0}))
    graph = Subgraph("main", (x,), (p,), tuple(ops), {h: "hidden", y: "scores"})
    return emit(graph, Signature(("x",), ("p",)), metadata)[1]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(small_net())
    return path


def test_names_dtypes_and_origins_are_the_files(net: Path) -> None:
    model = api.load(net)
    assert [(s.name, s.dtype, s.shape) for s in model.inputs] == [("x", INT8, ("batch", 6))]
    assert [(s.name, s.dtype) for s in model.outputs] == [("p", INT8)]
    origins = {v.name: origin_of(n) for n in model.ir.graph for v in n.outputs}
    assert origins["hidden"].nodes == ("FULLY_CONNECTED#0",)
    assert origins["p"].nodes == ("SOFTMAX#2",)
    assert origins["scores"].scope == "scores"
    assert model.source == "tflite"


def test_written_again_it_is_the_same_graph_to_the_bit(net: Path) -> None:
    artifact = api.convert(net)
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert (artifact.verification.oracle or "").startswith("litert")
    assert [d.max_abs for d in artifact.verification.deltas] == [0.0]
    before, after = read_tflite(net).main, read_tflite(artifact.model_file.read()).main
    assert [op.op for op in after.ops] == [op.op for op in before.ops]
    for old, new in zip(before.ops, after.ops, strict=True):
        for a, b in zip((*old.inputs, *old.outputs), (*new.inputs, *new.outputs), strict=True):
            assert a is not None
            assert b is not None
            assert a.dtype == b.dtype
            if a.data is not None:
                np.testing.assert_array_equal(a.data, b.data)
            if a.data is None or a.dtype == INT8:
                assert a.quant == b.quant


def test_as_onnx_it_is_compared_with_the_file_itself(net: Path) -> None:
    verification = api.convert(net, "onnx").verification
    assert verification is not None
    assert verification.verdict is Verdict.VERIFIED
    assert (verification.oracle or "").startswith("litert")
    assert [layer.op for layer in verification.layers] == ["FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"]


def test_labels_of_our_own_and_of_tflites_metadata_are_kept() -> None:
    assert metadata_of(small_net({"labels.txt": b"cat\ndog"}))[LABELS_KEY] == "cat\ndog"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("readme.txt", "no")
        packed.writestr("labels_en.txt", "yes\nno")
    assert metadata_of(small_net() + archive.getvalue())[LABELS_KEY] == "yes\nno"
    assert LABELS_KEY not in metadata_of(small_net())


def test_labels_go_into_the_new_artifact(tmp_path: Path) -> None:
    path = tmp_path / "labelled.tflite"
    path.write_bytes(small_net({"labels.txt": b"a\nb\nc\nd"}))
    artifact = api.convert(path, verify=False)
    assert metadata_of(artifact.model_file.read())[LABELS_KEY] == "a\nb\nc\nd"


def test_integers_as_weights_alone_are_said_to_be_rounded_by_litert(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x, y = (Value(np.dtype(np.float32), (1, n)) for n in (40, 8))
    w = Value(INT8, (8, 40), rng.integers(-127, 128, (8, 40), dtype=np.int8), Quant((0.01,), (0,)))
    op = Emitted("FULLY_CONNECTED", (x, w, None), (y,), {"fused_activation_function": "NONE"})
    path = tmp_path / "hybrid.tflite"
    path.write_bytes(emit(Subgraph("main", (x,), (y,), (op,), {}), Signature(("x",), ("y",)))[1])
    model = api.load(path)
    (warning,) = model.diagnostics
    assert (warning.code, warning.where.nodes) == ("EK304", ("FULLY_CONNECTED#0",))
    verification = api.convert(model).verification
    assert verification is not None
    assert verification.holds
    assert (verification.oracle or "").startswith("onnxruntime"), "LiteRT computes something else"


def codes(error: EdgekitError) -> set[str]:
    return {d.code for d in error.diagnostics}


def test_all_refused_ops_are_named_together(make_tflite: Callable[..., bytes], tmp_path: Path) -> None:
    tensors = {k: ("FLOAT32", [2], None) for k in ("x", "y", "z")}
    path = tmp_path / "odd.tflite"
    path.write_bytes(
        make_tflite(tensors, [("SVDF", ["x"], ["y"]), ("LSTM", ["x"], ["z"])], ["x"], ["y", "z"])
    )
    with pytest.raises(EdgekitError) as caught:
        api.load(path)
    assert [d.where.nodes for d in caught.value.diagnostics] == [("SVDF#0",), ("LSTM#1",)]
    assert codes(caught.value) == {"EK116"}
    assert all("state between calls" in d.message for d in caught.value.diagnostics)


def test_a_file_of_another_kind_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(EdgekitError, match="HTML page"):
        api.load(path)


def attempt(data: bytes) -> str:
    """Imports bytes; anything but a diagnostic fails the test."""
    try:
        translate(read_tflite(data).main)
        metadata_of(data)
    except EdgekitError:
        return "refused"
    return "imported"


def test_every_truncation_is_a_diagnostic() -> None:
    data = small_net()
    outcomes = [attempt(data[:n]) for n in range(len(data) - 8)]
    assert set(outcomes) == {"refused"}


def test_two_thousand_mutations_are_imported_or_refused() -> None:
    data, rng = small_net({"labels.txt": b"a"}), random.Random(5)
    outcomes = []
    for _ in range(2000):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4))):
            changed[rng.randrange(8, len(changed))] = rng.randrange(256)
        outcomes.append(attempt(bytes(changed)))
    assert set(outcomes) == {"refused", "imported"}


def test_a_scale_that_is_no_number_is_refused() -> None:
    data = small_net()
    scale = np.float32(0.02).tobytes()
    assert data.count(scale) >= 1
    for bad in (np.nan, np.inf, -1.0, 0.0):
        with pytest.raises(EdgekitError, match="not a positive number"):
            translate(read_tflite(data.replace(scale, np.float32(bad).tobytes())).main)
