"""Outputs that cannot be written: each gets its diagnostic, and nothing half-written is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import Artifact, ArtifactFile, Binding, Source, atomic
from edgekit.diagnostics import EdgekitError, ExitCode
from edgekit.ir import TensorSpec


def make(payload: bytes = b"model", name: str = "m.tflite") -> Artifact:
    spec, binding = TensorSpec("x", np.dtype(np.float32), (1,)), Binding("x", np.dtype(np.float32))
    files = (ArtifactFile.of(name, payload),)
    return Artifact("tflite", files, Source("m", "onnx"), (spec,), (spec,), (binding,), (binding,))


def refused(target: Path, artifact: Artifact | None = None) -> str:
    with pytest.raises(EdgekitError) as error:
        (artifact or make()).save(target)
    assert error.value.diagnostics[0].code == "EK506"
    assert error.value.exit_code is ExitCode.USAGE
    return error.value.diagnostics[0].message


def test_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    assert "not a directory" in refused(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "precious"


def test_a_file_is_in_the_way_further_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    refused(tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_directory_of_the_user_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    assert "not an edgekit artifact" in refused(tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


def test_another_tools_manifest_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"name": "my web app"}')
    assert "not an edgekit artifact" in refused(tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_an_empty_directory_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make().save(tmp_path / "out")
    assert Artifact.open(tmp_path / "out").model_file.read() == b"model"


def test_a_name_of_the_user_that_the_new_artifact_needs(tmp_path: Path) -> None:
    make(name="old.tflite").save(tmp_path / "out")
    (tmp_path / "out" / "new.tflite").write_text("precious")
    refused(tmp_path / "out", make(name="new.tflite"))
    assert (tmp_path / "out" / "new.tflite").read_text() == "precious"
    assert Artifact.open(tmp_path / "out").model_file.name == "old.tflite"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_a_read_only_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        assert "denied" in refused(tmp_path / "out")
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that nobody can write to")
def test_a_file_system_that_cannot_be_written_to() -> None:
    refused(Path("/proc/edgekit-out"))


def test_an_absurdly_long_name(tmp_path: Path) -> None:
    assert "too long" in refused(tmp_path / ("x" * 300))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "edgekit-test", str(disk)],
        capture_output=True,
        check=False,
    )
    if mount.returncode:
        pytest.skip("mounting a small file system needs privileges")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    make(b"small").save(small_disk / "out")
    assert "no space left" in refused(small_disk / "out", make(os.urandom(100_000)))
    assert [p.name for p in small_disk.iterdir()] == ["out"]
    assert Artifact.open(small_disk / "out").model_file.read() == b"small"


def test_a_full_disk_simulated_by_a_failing_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(b"old").save(tmp_path / "out")
    real = atomic.write_synced

    def mock_write(path: Path, data: bytes) -> None:
        real(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("edgekit.artifact.store.write_synced", mock_write)
    assert "no space left" in refused(tmp_path / "out", make(b"new"))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert Artifact.open(tmp_path / "out").model_file.read() == b"old"


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from pathlib import Path
import numpy as np
from edgekit.artifact import Artifact, ArtifactFile, Binding, Source
from edgekit.diagnostics import EdgekitError
files = (ArtifactFile.of("m.tflite", bytes(100_000)),)
artifact = Artifact("tflite", files, Source("m", "onnx"), (), (), (), ())
try:
    artifact.save(Path(sys.argv[1]))
except EdgekitError as error:
    sys.exit(f"{error.diagnostics[0].code} {error.diagnostics[0].message}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("EK506")
    assert "too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


KEPT_BUSY = """
import sys
from pathlib import Path
from edgekit.artifact import Artifact, ArtifactFile, Source
def files_of(n):
    return ArtifactFile.of("m.tflite", bytes([n]) * 300_000), ArtifactFile.of("m.txt", bytes([n]))
number = 0
while True:
    Artifact("tflite", files_of(number % 256), Source("m", "onnx"), (), (), (), ()).save(Path(sys.argv[1]))
    number += 1
    if number == 1:
        print("ready", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_in_the_middle(tmp_path: Path) -> None:
    """Whenever the writer is killed, the output is absent or one whole artifact, never a mixture."""
    generator = np.random.default_rng(0)
    unfinished = 0
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", KEPT_BUSY, str(tmp_path / "out")], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(generator.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        unfinished += any(p.name.startswith(".out.partial") for p in tmp_path.iterdir())
        if (tmp_path / "out").exists():
            model, text = (f.read() for f in Artifact.open(tmp_path / "out").files)
            assert model == text * 300_000
    assert unfinished, "no kill came in the middle of a write"
    make(b"after").save(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert Artifact.open(tmp_path / "out").model_file.read() == b"after"


def test_replacing_in_two_steps_where_the_system_has_no_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_exchange_in_one_step", lambda new, old: False)
    make(b"old").save(tmp_path / "out")
    make(b"new").save(tmp_path / "out")
    assert Artifact.open(tmp_path / "out").model_file.read() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_single_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    atomic.write_file(path, b"one")
    atomic.write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    (tmp_path / "sub").mkdir()
    with pytest.raises(OSError, match="directory"):
        atomic.write_file(tmp_path / "sub", b"three")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "sub"]
