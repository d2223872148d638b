from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.artifact import (
    Artifact,
    ArtifactFile,
    Binding,
    Delta,
    Divergence,
    Evidence,
    Source,
    Status,
    Verdict,
    Verification,
)
from edgekit.artifact.manifest import dtype_name, dtype_of, is_safe_path
from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where
from edgekit.ir import Layout, Origin, Quant, TensorSpec
from edgekit.runners.execute import payload_of

FLOAT = np.dtype(np.float32)


def make(payload: bytes = b"model bytes", name: str = "m.tflite", **fields: object) -> Artifact:
    artifact = Artifact(
        backend="tflite",
        files=(ArtifactFile.of(name, payload),),
        source=Source("m", "onnx", "m.onnx", "0" * 64),
        inputs=(TensorSpec("x", FLOAT, ("N", 3, None, 8), Layout.NCHW),),
        outputs=(
            TensorSpec("y", np.dtype(np.int8), (1, 10), quant=Quant((0.5,), (3,))),
            TensorSpec("z", np.dtype(object), None),
        ),
        input_bindings=(Binding("x", FLOAT, (0, 2, 3, 1)),),
        output_bindings=(Binding("y", np.dtype(np.int8)), Binding("z", np.dtype(object))),
        tensor_map={"t": Binding("t_nhwc", np.dtype(ml_dtypes.bfloat16), (1, 0))},
        origins={"t_nhwc": Origin(("conv", "relu"), "features.0", "model.py", 12)},
        recipe={"opset": 21, "fp16": False, "labels": None},
        versions={"edgekit": "0.1.0"},
        certificate="0 transposes, proved minimum",
        verification=Verification(
            Verdict.MISMATCH,
            Evidence.EXECUTED,
            "onnxruntime 1",
            "litert 2",
            (Delta("y", Status.DIFFER, "float32", sqnr_db=-math.inf, worst_index=(0, 3), reason="far off"),),
            4,
            "generated",
            0,
            Divergence("t", "Conv", Origin(("conv",)), Delta("t", Status.DIFFER, sqnr_db=math.inf), ("s",)),
            "1 output of 1 differ",
            ("a note",),
        ),
        diagnostics=(
            Diagnostic("EK304", "approximate", Severity.WARNING, Where(nodes=("a",)), ("n",), "h", {"k": 1}),
        ),
    )
    return replace(artifact, **fields)


def code_of(error: pytest.ExceptionInfo[EdgekitError]) -> str:
    return error.value.diagnostics[0].code


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    artifact = make()
    artifact.save(tmp_path / "deep" / "out")
    read = Artifact.open(tmp_path / "deep" / "out")
    assert read.model_file.read() == b"model bytes"
    for field in ("inputs", "outputs", "input_bindings", "output_bindings", "source", "backend"):
        assert getattr(read, field) == getattr(artifact, field), field
    for field in ("tensor_map", "origins", "recipe", "versions"):
        assert dict(getattr(read, field)) == dict(getattr(artifact, field)), field
    assert read.verification == artifact.verification
    assert read.diagnostics == artifact.diagnostics
    assert read.certificate == artifact.certificate


def test_the_manifest_can_be_named_itself(tmp_path: Path) -> None:
    make().save(tmp_path / "out")
    assert Artifact.open(tmp_path / "out" / "manifest.json").backend == "tflite"


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    make().save(tmp_path / "a")
    make().save(tmp_path / "b")
    first, second = ((tmp_path / d / "manifest.json").read_bytes() for d in "ab")
    assert first == second
    assert json.loads(first)["verification"]["deltas"][0]["sqnr_db"] == "-inf"


def test_the_manifest_is_strict_json(tmp_path: Path) -> None:
    make().save(tmp_path / "a")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((tmp_path / "a" / "manifest.json").read_bytes(), parse_constant=refuse)


def test_a_payload_in_a_file_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(b"weights")
    file = ArtifactFile.of("big.bin", source)
    assert (file.sha256, file.size) == (hashlib.sha256(b"weights").hexdigest(), 7)
    make(files=(ArtifactFile.of("m.onnx", b"graph"), file)).save(tmp_path / "out")
    assert (tmp_path / "out" / "big.bin").read_bytes() == b"weights"


def test_an_opened_artifact_can_be_saved_over_itself(tmp_path: Path) -> None:
    make().save(tmp_path / "out")
    Artifact.open(tmp_path / "out").save(tmp_path / "out")
    assert Artifact.open(tmp_path / "out").model_file.read() == b"model bytes"


def test_a_payload_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(b"weights")
    artifact = make(files=(ArtifactFile.of("big.bin", source),))
    source.write_bytes(b"WEIGHTS")
    with pytest.raises(EdgekitError) as error:
        artifact.save(tmp_path / "out")
    assert code_of(error) == "EK506"
    assert not (tmp_path / "out").exists()


def test_replacing_keeps_what_the_user_put_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(name="old.tflite").save(out)
    (out / "notes.txt").write_text("mine")
    (out / "sub").mkdir()
    (out / "sub" / "more.txt").write_text("mine too")
    (out / "link").symlink_to("notes.txt")
    make(b"second", "new.tflite").save(out)
    assert sorted(p.name for p in out.iterdir()) == [
        "link",
        "manifest.json",
        "new.tflite",
        "notes.txt",
        "sub",
    ]
    assert (out / "sub" / "more.txt").read_text() == "mine too"
    assert (out / "link").is_symlink()
    assert Artifact.open(out).model_file.read() == b"second"


def test_nothing_is_left_beside_the_output(tmp_path: Path) -> None:
    for payload in (b"one", b"two"):
        make(payload).save(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    dead = tmp_path / ".out.partial-999999999-0123abcd"
    alive = tmp_path / f".out.partial-{os.getpid()}-0123abcd"
    other = tmp_path / ".out.partial-notes"
    for path in (dead, alive, other):
        path.mkdir()
    make().save(tmp_path / "out")
    assert not dead.exists()
    assert alive.exists()
    assert other.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../b",
        "a//b",
        "a/",
        "/",
        "a\\b",
        "",
        ".",
        "..",
        "a/.",
        "manifest.json",
        "Manifest.JSON",
        ".x",
    ],
)
def test_names_that_lead_away_are_refused(name: str) -> None:
    assert not is_safe_path(name)
    with pytest.raises(ValueError, match="name"):
        make(name=name).save(Path("never"))
    assert not Path("never").exists()


@pytest.mark.parametrize(
    "name",
    [
        "model.onnx",
        "m.mlpackage/Data/com.apple.CoreML/model.mlmodel",
        "mobilenet_v2-1.0 (1).tflite".replace("(", "").replace(")", ""),
    ],
)
def test_ordinary_names_are_safe(name: str) -> None:
    assert is_safe_path(name)


@given(
    st.sampled_from(["float32", "bool", "int4", "uint4", "bfloat16", "float8_e4m3fn", "complex64", "string"])
)
def test_dtype_names_round_trip(name: str) -> None:
    assert dtype_name(dtype_of(name)) == name


@pytest.mark.parametrize("name", ["O", "object", "V8", "datetime64[ns]", "float128", "int32,int32", ""])
def test_other_dtypes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="dtype"):
        dtype_of(name)


def test_an_artifact_binds_every_output() -> None:
    with pytest.raises(ValueError, match="binding"):
        make(output_bindings=())


def test_files_in_folders_are_written_read_and_run_in_place(tmp_path: Path) -> None:
    files = (
        ArtifactFile.of("m.mlpackage/Data/model", b"model"),
        ArtifactFile.of("m.mlpackage/list", b"list"),
    )
    saved = make(files=files).save(tmp_path / "out")
    assert (saved / "m.mlpackage/Data/model").read_bytes() == b"model"
    opened = Artifact.open(saved)
    with payload_of(opened) as path:
        assert path == saved / "m.mlpackage/Data/model"  # nothing is copied
    with payload_of(make(files=files)) as path:
        assert isinstance(path, Path)
        assert path.read_bytes() == b"model"
        assert (path.parents[1] / "list").read_bytes() == b"list"


def test_replacing_an_artifact_of_folders_leaves_no_old_file(tmp_path: Path) -> None:
    make(files=(ArtifactFile.of("m/a", b"1"), ArtifactFile.of("m/b", b"2"))).save(tmp_path / "out")
    (tmp_path / "out" / "notes").write_text("mine")
    make(files=(ArtifactFile.of("m/a", b"3"),)).save(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out" / "m").iterdir()) == ["a"]
    assert (tmp_path / "out" / "notes").read_text() == "mine"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    saved = make(files=(ArtifactFile.of("m/a", b"1"),)).save(tmp_path / "out")
    (saved / "m").rename(tmp_path / "elsewhere")
    (saved / "m").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EdgekitError, match="not a folder"):
        Artifact.open(saved)


def test_a_file_cannot_have_the_name_of_a_folder(tmp_path: Path) -> None:
    files = (ArtifactFile.of("m/a", b"1"), ArtifactFile.of("M", b"2"))
    with pytest.raises(ValueError, match="folder"):
        make(files=files).save(tmp_path / "out")


def test_a_boxed_binding_round_trips(tmp_path: Path) -> None:
    bindings = (Binding("y", np.dtype(np.int32), boxed=True), Binding("z", np.dtype(object)))
    saved = make(output_bindings=bindings).save(tmp_path / "out")
    assert Artifact.open(saved).output_bindings == bindings
