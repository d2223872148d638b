"""Vendors' compilers on the command line; those that run one need it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.compat.oneop import Draw, one_op
from edgekit.compat.oracle.find import command_for
from edgekit.compat.oracle.vela import TOOL
from edgekit.diagnostics import EdgekitError
from tests.cli.conftest import Outcome

Run = Callable[..., Outcome]


def _absent() -> bool:
    try:
        command_for(TOOL)
    except EdgekitError:
        return True
    return False


real = pytest.mark.skipif(_absent(), reason="Vela is not installed and EDGEKIT_VELA does not name it")


VELA = os.environ.get(TOOL.variable)
"""The fixture `run` clears the environment."""


@pytest.fixture
def vela(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line where Vela is found."""
    if VELA:
        monkeypatch.setenv(TOOL.variable, VELA)
    return run


@pytest.fixture
def relu(tmp_path: Path) -> str:
    (tmp_path / "relu.tflite").write_bytes(one_op("RELU", Draw()).to_bytes())
    return "relu.tflite"


@real
def test_check_beside_the_compiler(vela: Run, relu: str) -> None:
    outcome = vela("check", relu, "-t", "ethos-u55-128", "--oracle", "vela", "--json")
    assert outcome.code == 0
    report = json.loads(outcome.stdout)
    (table,) = (s for s in report["results"] if s["id"] == "oracle-ethos-u55-128")
    assert [row["agrees"] for row in table["rows"]] == ["agree"]


@real
def test_convert_for_a_target_compiles(vela: Run, model: Path, tmp_path: Path) -> None:
    outcome = vela("convert", model.name, "-t", "ethos-u55-128", "-o", "out")
    assert outcome.code == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    made = manifest["recipe"]["compiled"]
    assert made["tool"] == "vela"
    assert {f["name"] for f in manifest["files"]} >= set(made["files"])
    assert made["ops"].get("cpu")  # a float model stays on the CPU
    assert "EK523" in outcome.text()


@real
def test_probe(vela: Run) -> None:
    outcome = vela("target", "probe", "ethos-u55-128", "--op", "Relu", "--knob", "height", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.stdout)["verdict"]["status"] == "ok"


@pytest.mark.parametrize(
    "command",
    [
        ("check", "relu.tflite", "-t", "ethos-u55-128", "--oracle", "vela"),
        ("target", "probe", "ethos-u55-128", "--op", "Relu"),
        ("convert", "small.onnx", "-t", "ethos-u55-128"),
    ],
)
def test_without_the_compiler_the_exit_code_is_4(
    run: Run, relu: str, model: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_VELA", "/nowhere/vela")
    words = [model.name if word == "small.onnx" else word for word in command]
    outcome = run(*words)
    assert outcome.code == 4
    assert "EK501" in outcome.text()


def test_an_oracle_does_not_compile_for_every_target(run: Run, relu: str, tmp_path: Path) -> None:
    outcome = run("check", relu, "-t", "cortex-m55", "--oracle", "vela")
    assert outcome.code == 2
    assert "does not compile for" in outcome.text()


def test_a_backend_that_the_target_does_not_take(run: Run, model: Path) -> None:
    outcome = run("convert", model.name, "-t", "ethos-u55-128", "--backend", "onnx", "--no-verify")
    assert outcome.code == 2
