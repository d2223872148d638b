"""Every way in which a directory can fail to be the artifact that it claims to be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.artifact import Artifact, ArtifactFile, Binding, Source
from edgekit.artifact.manifest import seal
from edgekit.diagnostics import EdgekitError, ExitCode
from edgekit.ir import TensorSpec


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    spec, binding = TensorSpec("x", np.dtype(np.float32), (1,)), Binding("x", np.dtype(np.float32))
    files = (ArtifactFile.of("m.onnx", b"graph"), ArtifactFile.of("m.data", b"weights"))
    Artifact("onnx", files, Source("m", "onnx"), (spec,), (spec,), (binding,), (binding,)).save(
        tmp_path / "a"
    )
    return tmp_path / "a"


def refused(path: Path) -> str:
    with pytest.raises(EdgekitError) as error:
        Artifact.open(path)
    first = error.value.diagnostics[0]
    assert first.code == "EK507"
    assert error.value.exit_code is ExitCode.USAGE
    return " ".join([first.message, *first.notes])


def edit(saved: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = saved / "manifest.json"
    fields = json.loads(path.read_text())
    del fields["digest"]
    change(fields)
    path.write_bytes(seal(fields))


def test_missing_directory(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nothing")


def test_a_file_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"x")
    assert "not a directory" in refused(tmp_path / "model.tflite")


def test_a_directory_without_manifest(tmp_path: Path) -> None:
    assert "no `manifest.json`" in refused(tmp_path)


def test_missing_file(saved: Path) -> None:
    (saved / "m.data").unlink()
    assert "missing" in refused(saved)


def test_changed_byte(saved: Path) -> None:
    (saved / "m.data").write_bytes(b"Weights")
    assert "hash" in refused(saved)


def test_truncated_file(saved: Path) -> None:
    (saved / "m.data").write_bytes(b"weig")
    assert "4 bytes, the manifest says 7" in refused(saved)


def test_a_link_instead_of_a_file(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"weights")
    (saved / "m.data").unlink()
    (saved / "m.data").symlink_to(tmp_path / "elsewhere")
    assert "regular file" in refused(saved)


def test_a_pipe_does_not_hang(saved: Path) -> None:
    for name in ("m.data", "manifest.json"):
        (saved / name).unlink()
        os.mkfifo(saved / name)
        assert "regular file" in refused(saved)


@pytest.mark.parametrize("name", ["../a/m.data", "/etc/passwd", "sub/../m.data", "C:\\x", "m\x00", ""])
def test_hostile_paths(saved: Path, name: str) -> None:
    edit(saved, lambda fields: fields["files"][1].update(name=name))
    assert "lead out" in refused(saved)


def test_two_files_of_one_name(saved: Path) -> None:
    edit(saved, lambda fields: fields["files"][1].update(name="M.ONNX"))
    assert "same name" in refused(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.pop("files"),
        lambda f: f.update(files=[]),
        lambda f: f.update(schema="edgekit.artifact/99"),
        lambda f: f.update(surprise=1),
        lambda f: f["files"][0].update(sha256="abc"),
        lambda f: f["files"][0].update(size=-1),
        lambda f: f["inputs"][0]["source"].update(dtype="object"),
        lambda f: f["inputs"][0]["artifact"].update(perm=[0, 0]),
        lambda f: f.update(verification={"verdict": "fine", "evidence": "executed"}),
        lambda f: f.update(diagnostics=[{"code": "EK999", "message": "x"}]),
    ],
)
def test_manifests_that_do_not_fit_the_schema(saved: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edit(saved, change)
    assert "not a valid manifest" in refused(saved)


def test_a_verdict_edited_by_hand(saved: Path) -> None:
    path = saved / "manifest.json"
    path.write_text(path.read_text().replace('"certificate": ""', '"certificate": "proved"'))
    assert "digest" in refused(saved)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000])
def test_manifests_that_are_no_objects(saved: Path, text: bytes) -> None:
    (saved / "manifest.json").write_bytes(text)
    refused(saved)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), flip=st.integers(0, 255), at=st.floats(0, 1))
def test_mutated_manifests_are_refused_or_read_as_they_were(
    saved: Path, cut: float, flip: int, at: float
) -> None:
    original = (saved / "manifest.json").read_bytes()
    whole = Artifact.open(saved)
    text = bytearray(original)
    text[int(at * (len(text) - 1))] ^= flip
    try:
        (saved / "manifest.json").write_bytes(text[: int(cut * len(text))])
        assert _opened(saved) in (None, whole)
    finally:
        (saved / "manifest.json").write_bytes(original)


def _opened(path: Path) -> Artifact | None:
    try:
        return Artifact.open(path)
    except EdgekitError as error:
        if error.diagnostics[0].code != "EK507":
            raise
        return None
