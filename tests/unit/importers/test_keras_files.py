"""Keras files as untrusted input, checked before TensorFlow sees them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import keras_files
from edgekit.importers.keras_files import Kind

LAMBDA = {"class_name": "Lambda", "config": {"name": "twice"}}
DENSE = {"class_name": "Dense", "module": "keras.layers", "config": {"name": "d"}}


def archive(config: object = DENSE, **extra: bytes) -> bytes:
    members = {
        "config.json": json.dumps(config).encode(),
        "metadata.json": b'{"keras_version": "3.0.0"}',
        "model.weights.h5": b"\x89HDF\r\n\x1a\n",
        **{name.replace("__", "/"): data for name, data in extra.items()},
    }
    return zipped({n: d for n, d in members.items() if d})


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def refused(path: Path, data: bytes | None = None) -> Diagnostic:
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EdgekitError) as failure:
        keras_files.check(path, allow_code=False)
    return failure.value.diagnostics[0]


def test_kinds_are_told_by_content(tmp_path: Path) -> None:
    files = {
        "a.keras": (archive(), Kind.ARCHIVE),
        "b.h5": (b"\x89HDF\r\n\x1a\n rest", Kind.HDF5),
        "c.keras": (b"\x89HDF\r\n\x1a\n rest", Kind.HDF5),
        "d.pb": (b"\n\x05hello", Kind.GRAPH),
    }
    for name, (data, kind) in files.items():
        (tmp_path / name).write_bytes(data)
        assert keras_files.check(tmp_path / name, allow_code=False) is kind
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert keras_files.check(tmp_path, allow_code=False) is Kind.SAVED_MODEL
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert refused(tmp_path).code == "EK103"


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.keras").code == "EK101"


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "a.pb"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / name, b"").code == "EK103"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.keras", b"\x00\x01\x02\xff" * 50, "EK103"),
        ("a.keras", archive()[:-60], "EK103"),
        ("a.h5", b"\x00\x01\x02\xff" * 50, "EK103"),
        ("a.h5", b"<!DOCTYPE html>", "EK102"),
        ("a.h5", archive(), "EK102"),
        ("a.keras", zipped({"x.txt": b"hello"}), "EK102"),
        ("a.keras", archive(metadata_json=b"x", **{"metadata.json": b""}), "EK103"),
        ("a.keras", archive(**{"config.json": b"{"}), "EK103"),
        ("a.keras", archive(**{"config.json": b"[" * 100_000}), "EK103"),
    ],
)
def test_damaged_or_other_files(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    assert refused(tmp_path / name, data).code == code


@pytest.mark.parametrize("entry", ["../evil.py", "/etc/passwd", "a/../../b", "..\\evil.py", "C:\\evil"])
def test_entries_outside_the_archive(tmp_path: Path, entry: str) -> None:
    found = refused(tmp_path / "a.keras", archive(**{entry: b"x"}))
    assert found.code == "EK103"
    assert "outside" in found.message


def test_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_files, "WEIGHT_LIMIT", 1_000_000)
    found = refused(tmp_path / "a.keras", archive(bomb=bytes(3_000_000)))
    assert found.code == "EK107"


def test_lambda_layer_needs_permission(tmp_path: Path) -> None:
    found = refused(tmp_path / "a.keras", archive(LAMBDA))
    assert (found.code, found.where.scope) == ("EK111", "twice")
    assert "--allow-pickle" in (found.help or "")
    assert keras_files.check(tmp_path / "a.keras", allow_code=True) is Kind.ARCHIVE


def test_folder_without_a_saved_model_points_to_one_inside(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "EK102"
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "saved_model.pb").touch()
    assert f"`{tmp_path / 'export'}`" in (refused(tmp_path).help or "")


def test_hash_of_a_folder_depends_on_names_and_contents(tmp_path: Path) -> None:
    def made(name: str, data: bytes) -> str:
        folder = tmp_path / f"{name}-{len(data)}"
        (folder / "variables").mkdir(parents=True)
        (folder / "variables" / name).write_bytes(data)
        return keras_files.sha256_of(folder)

    assert len({made("a", b"1"), made("b", b"1"), made("a", b"12")}) == 3


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_archives_give_diagnostics(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(archive())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    path = tmp_path / "a.keras"
    path.write_bytes(bytes(content[: cut if data.draw(st.booleans()) else None]))
    assert outcome(path) in {"archive", "hdf5", "EK102", "EK103", "EK107", "EK111"}


def outcome(path: Path) -> str:
    try:
        return keras_files.check(path, allow_code=False)
    except EdgekitError as failure:
        return failure.diagnostics[0].code
