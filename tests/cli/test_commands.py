"""`inspect`, `explain`, `report` and `doctor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli import doctor, requirements
from edgekit.cli.requirements import Requirement
from edgekit.diagnostics import CODES
from edgekit.report import Check, CheckStatus

Run = Callable[..., Any]
Snapshot = Callable[[Any], None]


def test_inspect_a_model(run: Run, snapshot: Snapshot, model: Path) -> None:
    snapshot(run("inspect", model))


def test_inspect_custom_ops(run: Run, snapshot: Snapshot, custom_model: Path) -> None:
    snapshot(run("inspect", custom_model))


def test_inspect_what_is_no_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.onnx").write_text("not a model\n")
    outcome = run("inspect", "notes.onnx")
    assert outcome.code == 2
    assert outcome.stderr.startswith("error[EK102]: `notes.onnx` is a text file")


def test_explain_a_code(run: Run, snapshot: Snapshot) -> None:
    snapshot(run("explain", "ek505"))


@pytest.mark.parametrize("spelling", ["EK601", "ek601", "601"])
def test_explain_takes_any_spelling(run: Run, spelling: str) -> None:
    assert run("explain", spelling).stdout.startswith("EK601: ")


def test_explain_lists_all_codes(run: Run) -> None:
    document = json.loads(run("explain", "--json").stdout)
    [table] = document["results"]
    assert [row["code"] for row in table["rows"]] == list(CODES)


def test_explain_an_unknown_code(run: Run) -> None:
    outcome = run("explain", "EK902")
    assert outcome.code == 2
    assert "did you mean `EK901`?" in outcome.stderr


class TestReport:
    def test_any_format_of_a_saved_report(self, run: Run, model: Path) -> None:
        saved = run("inspect", model, "--json").stdout
        Path("saved.json").write_text(saved)
        assert run("report", "saved.json").stdout == run("inspect", model).stdout
        assert run("report", "saved.json", "--format", "json").stdout == saved
        run("report", "saved.json", "--html", "page.html")
        assert "<!DOCTYPE html>" in Path("page.html").read_text()

    def test_the_exit_code_is_that_of_the_report(self, run: Run) -> None:
        Path("saved.json").write_text(run("inspect", "missing.onnx", "--json").stdout)
        assert run("report", "saved.json").code == 2

    @pytest.mark.parametrize("text", ["", "{}", "[1, 2", '{"schema": "edgekit.report/9"}', "\x00\xff"])
    def test_what_is_not_a_report(self, run: Run, text: str) -> None:
        Path("saved.json").write_text(text, encoding="latin-1")
        outcome = run("report", "saved.json")
        assert outcome.code == 2
        assert outcome.stderr.startswith("error[EK102]: `saved.json` is not a report")

    def test_a_folder_without_one(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        outcome = run("report", "empty")
        assert outcome.code == 2
        assert "EK101" in outcome.stderr


class TestDoctor:
    @pytest.fixture(autouse=True)
    def no_self_test(self, monkeypatch: pytest.MonkeyPatch) -> None:
        passed = Check("convert and verify a small model", CheckStatus.PASS, "verified", "executed")
        monkeypatch.setattr(doctor, "self_test", lambda: (passed, ()))

    def test_an_installation_that_works(self, run: Run) -> None:
        outcome = run("doctor")
        assert outcome.code == 0
        assert outcome.stdout.rstrip("\n").split("\n")[-1].startswith("ok: the main job runs; ")

    def test_a_missing_package_of_the_base_install(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def version(package: str) -> str | None:
            return None if package == "onnxruntime" else "99.0"

        monkeypatch.setattr(requirements, "version", version)
        outcome = run("doctor")
        assert outcome.code == 4
        assert "error: the main job cannot run: `onnxruntime`" in outcome.stdout

    def test_a_missing_extra_is_no_error_and_shows_its_line(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def version(package: str) -> str | None:
            return None if package == "torch" else "99.0"

        monkeypatch.setattr(requirements, "version", version)
        outcome = run("doctor")
        assert outcome.code == 0
        assert 'pip install "edgekit[torch]"' in outcome.stdout
        count = len({r.extra for r in requirements.requirements() if r.extra})
        assert f"{count - 1} of {count} extras" in outcome.stdout

    def test_a_folder_that_cannot_be_written(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
        outcome = run("doctor")
        assert outcome.code == 4
        assert "`temporary folder`" in outcome.stdout

    def test_a_broken_configuration_is_a_warning(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "edgekit.toml").write_text("nonsense = 1\n")
        outcome = run("doctor")
        assert outcome.code == 0
        assert "warning[EK202]" in outcome.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('no litert')", "the process ended with 1: no litert"),
        ("import time; time.sleep(60)", "no answer after 1 s"),
        ('print(\'{"verdict": "mismatch", "reason": "0.5 off", "runner": "r"}\')', "0.5 off"),
    ],
)
def test_a_self_test_that_fails_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, message: str
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/usr/bin/env python3\n{code}\n")
    script.chmod(0o755)
    monkeypatch.setattr(doctor.sys, "executable", str(script))
    check, _ = doctor.self_test(timeout_s=1.0)
    assert (check.status, check.message) == (CheckStatus.FAIL, message)


@pytest.mark.parametrize(
    ("lowest", "installed", "status"),
    [
        ("1.9", "1.10", "ok"),
        ("1.10", "1.9", "outdated"),
        ("2.0", "2.0.1+cpu", "ok"),
        ("", "0.1", "ok"),
        ("1", None, "missing"),
    ],
)
def test_versions_are_compared_as_numbers(lowest: str, installed: str | None, status: str) -> None:
    assert Requirement("p", "", lowest, installed).status == status


def test_requirements_are_those_of_the_project_file() -> None:
    found = requirements.requirements()
    base = {r.package for r in found if not r.extra}
    assert {"numpy", "onnx", "onnx-ir", "click", "pydantic"} <= base
    assert {"", "coreml", "fpga", "keras", "npu", "torch", "tvm"} <= {r.extra for r in found}
    assert {"all", "dev"}.isdisjoint(r.extra for r in found)
    [onnx] = [r for r in found if r.package == "onnx" and not r.extra]
    assert onnx.lowest == "1.20"
