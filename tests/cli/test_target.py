"""`edgekit target`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.compat.test_judge import HEAD

GOOD = HEAD + "fallback: cpu\nops:\n  ADD: {source: log}\n"


@pytest.fixture
def project(tmp_path: Path, run: Any) -> Path:
    """A project with a descriptor of its own; commands run in it."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "chip.yaml").write_text(GOOD)
    (tmp_path / "edgekit.toml").write_text('targets = ["targets/"]\n')
    return tmp_path


def test_list_holds_ours_and_the_project_s(project: Path, run: Any) -> None:
    result = run("target", "list", "--json")
    ids = {row["id"] for row in json.loads(result.stdout)["results"][0]["rows"]}
    assert {"chip", "ethos-u55-128", "edgetpu"} <= ids
    assert "ethos-u55" not in ids
    assert result.code == 0


def test_show(project: Path, run: Any) -> None:
    result = run("target", "show", "edgetpu")
    assert "Google Edge TPU" in result.stdout
    assert "dilation" in result.stdout
    assert result.code == 0
    assert run("target", "show", "targets/chip.yaml").code == 0
    assert run("target", "show", "chip").code == 0


def test_an_unknown_target(run: Any) -> None:
    result = run("target", "show", "edgetpuu")
    assert result.code == 2
    assert "EK208" in result.stderr + result.stdout
    assert "did you mean `edgetpu`?" in result.stderr + result.stdout


def test_lint(project: Path, run: Any) -> None:
    assert run("target", "lint", "chip").code == 0
    path = project / "targets" / "chip.yaml"
    path.write_text(GOOD + "  SUB: {rules: [axis-last]}\n")
    result = run("target", "lint", "chip")
    assert result.code == 1
    path.write_text(GOOD + "  SUB: {rules: [no-rule]}\n  MUL: {rules: [stride-range]}\n")
    result = run("target", "lint", "chip")
    assert result.code == 2
    shown = result.stdout + result.stderr
    assert "chip.yaml:16" in shown
    assert "chip.yaml:17" in shown


def test_docs(project: Path, run: Any) -> None:
    assert run("target", "docs", "-o", "pages").code == 0
    assert (
        "`chip`" in (project / "pages" / "README.md").read_text() or (project / "pages" / "chip.md").exists()
    )


def test_schema(project: Path, run: Any) -> None:
    result = run("target", "schema")
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))
    assert run("target", "schema", "-o", "s.json").code == 0
    assert json.loads((project / "s.json").read_text())["title"] == "edgekit target descriptor"


def test_wrong_use(run: Any) -> None:
    assert run("target", "lst").code == 2
    assert "did you mean `list`?" in run("target", "lst").stderr
    assert run("target").code == 0
