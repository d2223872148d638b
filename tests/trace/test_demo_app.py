"""From a C app to the named cause: compiled, run, its trace compared, the fault found and taken out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
HOST = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
CONTRACT = """\
schema: 1
stages:
  - normalise: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
  - layout: {order: nchw}
  - quantise: {scale: 0.0186, zero_point: -14}
  - model
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if HOST is None:
        pytest.skip("no C compiler for this machine")
    rng = np.random.default_rng(5)
    coarse = rng.uniform(30, 220, (3, 5, 6, 3))
    fine = np.kron(coarse, np.ones((1, 8, 8, 1))) + rng.normal(0, 12, (3, 40, 48, 3))
    (tmp_path / "images.bin").write_bytes(np.clip(fine, 0, 255).astype(np.uint8).tobytes())
    (tmp_path / "pipeline.yaml").write_text(CONTRACT)
    return tmp_path


def traced(folder: Path, fault: int) -> Path:
    app = folder / f"app{fault}"
    command = [str(HOST), "-std=gnu99", f"-DFAULT={fault}", f"-I{ROOT / 'device'}", "-o", str(app)]
    subprocess.run([*command, str(Path(__file__).with_name("demo_app.c"))], check=True)
    trace = folder / f"run{fault}.ekt"
    trace.write_bytes(subprocess.run([app, folder / "images.bin"], check=True, capture_output=True).stdout)
    return trace


def diff(folder: Path, trace: Path) -> tuple[int, dict[str, object]]:
    command = [
        sys.executable,
        "-c",
        "from edgekit.cli.main import main; main()",
        "diff",
        "pipeline.yaml",
        trace.name,
        "--format",
        "json",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("fault", "stage", "cause"),
    [
        (1, "normalise", "channels are in the order BGR"),
        (2, "normalise", "mean and std are skipped"),
        (3, "layout", "memory is NHWC but read as NCHW"),
        (4, "quantise", "reals are cut off instead of rounded"),
    ],
)
def test_a_planted_fault_is_named_where_it_is(folder: Path, fault: int, stage: str, cause: str) -> None:
    code, document = diff(folder, traced(folder, fault))
    assert code == 1
    checks = {c["name"]: c["status"] for c in document["checks"]}  # type: ignore[attr-defined,index]
    assert [name for name, status in checks.items() if status == "fail"] == [stage]
    (problem,) = (d for d in document["diagnostics"] if d["code"] == "EK610")  # type: ignore[attr-defined]
    assert cause in problem["message"]
    assert problem["help"]


def test_without_the_fault_the_trace_agrees(folder: Path) -> None:
    code, document = diff(folder, traced(folder, 0))
    assert code == 0, document["verdict"]
    assert {c["status"] for c in document["checks"]} == {"pass"}  # type: ignore[attr-defined]


def test_a_cut_trace_does_not_pass(folder: Path) -> None:
    trace = traced(folder, 0)
    trace.write_bytes(trace.read_bytes()[:-3])
    code, document = diff(folder, trace)
    assert code == 1
    assert any(d["code"] == "EK604" for d in document["diagnostics"])  # type: ignore[attr-defined]


def test_nothing_to_compare_is_said(folder: Path) -> None:
    trace = traced(folder, 0)
    (folder / "pipeline.yaml").write_text("schema: 1\nstages:\n  - softmax\n")
    code, document = diff(folder, trace)
    assert code == 5
    assert document["diagnostics"][0]["code"] == "EK605"  # type: ignore[index]
