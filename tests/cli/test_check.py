"""`edgekit check`: what it prints, its exit codes, and its formats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgekit.report import json as json_format
from tests.cli.conftest import Outcome
from tests.unit.compat.advice_models import MODELS
from tests.unit.compat.conftest import FOLDER, network

Run = Callable[..., Outcome]
OWN = ("--targets-folder", "targets")


@pytest.fixture(autouse=True)
def own_targets(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "targets")


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(network(stride=3), str(path))
    return path


@pytest.fixture
def check(run: Run, net: Path) -> Run:
    def call(*arguments: object, target: str = "tiny-npu") -> Outcome:
        return run("check", net.name, "-t", target, "--io-layout", "nhwc", *OWN, *arguments)

    return call


def test_check_prints(check: Run, snapshot: Callable[[Outcome], None]) -> None:
    snapshot(check())


def test_check_several_targets(run: Run, net: Path, snapshot: Callable[[Outcome], None]) -> None:
    ids = ("-t", "tiny-npu", "-t", "tiny-onnx", "-t", "tiny-cpu")
    snapshot(run("check", net.name, *ids, "--io-layout", "nhwc", *OWN))


def test_the_level_is_the_exit_code(check: Run) -> None:
    assert check().code == 0
    assert check("--fail-on", "fallback").code == 1


def test_nothing_that_can_be_told_is_nothing_checked(run: Run, tmp_path: Path) -> None:
    onnx.save(network(last="Erf"), str(tmp_path / "erf.onnx"))
    text = (FOLDER / "tiny-onnx.yaml").read_text().replace("id: tiny-onnx", "id: blank")
    (tmp_path / "blank.yaml").write_text(text.partition("ops:")[0] + "ops:\n  NoOp: {}\n")
    assert run("check", "erf.onnx", "-t", "blank.yaml").code == 5


def test_a_target_must_be_chosen(run: Run, net: Path) -> None:
    assert run("check", net.name).code == 2
    assert run("check", net.name, "--all", "-t", "tiny-npu").code == 2
    assert run("check", net.name, "-t", "no-such-chip").code == 2


def test_a_baseline_is_written_and_held(check: Run, run: Run, tmp_path: Path) -> None:
    strict = ("--fail-on", "fallback", "--baseline", "compat.lock")
    assert check(*strict).code == 2
    assert check(*strict, "--update-baseline").code == 0
    assert check(*strict).code == 0
    onnx.save(network(last="HardSwish"), str(tmp_path / "net.onnx"))
    worse = check(*strict)
    assert worse.code == 1
    assert "regressions only" in worse.stdout


def test_waivers_are_named_in_the_report(check: Run, tmp_path: Path) -> None:
    text = '[[waiver]]\nnode = "*"\nreason = "the board is on order"\nexpires = 2999-12-31\n'
    (tmp_path / "waivers.toml").write_text(text)
    outcome = check("--fail-on", "fallback", "--waivers", "waivers.toml")
    assert outcome.code == 0
    assert "waived until 2999-12-31: the board is on order" in outcome.stderr


def test_other_sizes_are_asked_for(check: Run) -> None:
    document = json.loads(check("--what-if", "x=1x3x64x64", "--json").stdout)
    assert document["verdict"]["exit_code"] == 1  # it no longer fits into the memory
    assert {d["code"] for d in document["diagnostics"]} == {"EK310", "EK313"}
    assert check("--what-if", "z=1x3x64x64").code == 2


def test_json_fits_the_published_schema(check: Run) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="a package for tests")
    document = json.loads(check("--json").stdout)
    jsonschema.validate(document, json_format.schema())
    sections = {s["id"]: s for s in document["results"]}
    row = sections["targets"]["rows"][0]
    assert (row["target"], row["native"], row["fallback"]) == ("tiny-npu", 2, 2)
    nodes = {r["node"]: r for r in sections["nodes-tiny-npu"]["rows"]}
    assert "stride" in nodes["second"]["reasons"]
    assert nodes["first"]["reasons"] is None
    graph = sections["graph"]
    assert [n["states"] for n in graph["nodes"]] == [["native"], ["native"], ["fallback"], ["fallback"]]
    assert graph["edges"] == [[0, 1], [1, 2], [2, 3]]


@pytest.mark.parametrize("format", ["md", "junit", "github", "sarif"])
def test_formats_name_every_node_off_the_accelerator(check: Run, format: str) -> None:
    text = check("--format", format).stdout
    assert "second" in text
    assert "last" in text


SOURCE = """import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, stride=3)

    def forward(self, x):
        y = self.conv(x)
        return torch.nn.functional.hardswish(y)


def make():
    return Net().eval(), (torch.zeros(1, 3, 9, 9),)
"""


@pytest.mark.torch
def test_sarif_and_annotations_point_at_the_users_lines(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the torch extra")
    (tmp_path / "checked_net.py").write_text(SOURCE)
    arguments = ("check", "checked_net:make", "-t", "tiny-npu", "--io-layout", "nhwc", *OWN)
    sarif: Any = json.loads(run(*arguments, "--format", "sarif").stdout)
    lines = {
        result["locations"][0]["physicalLocation"]["region"]["startLine"]
        for result in sarif["runs"][0]["results"]
        if result["ruleId"] in ("EK310", "EK311")
    }
    assert lines == {10, 11}
    annotations = run(*arguments, "--format", "github").stdout
    assert "file=checked_net.py,line=10" in annotations
    assert "file=checked_net.py,line=11" in annotations


def test_html_draws_the_graph(check: Run, tmp_path: Path) -> None:
    assert check("--html", "report.html").code == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'class="graph"' in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_a_model_is_fixed_and_written(run: Run, tmp_path: Path) -> None:
    onnx.save(MODELS["relabel-to-reshape"], str(tmp_path / "flatten.onnx"))
    arguments = ("check", "flatten.onnx", "-t", "rk3588", "--fail-on", "fallback")
    assert run(*arguments).code == 1
    fixed = run(*arguments, "--fix", "--fixed-model", "fixed.onnx", "--json")
    assert fixed.code == 0
    sections = {s["id"]: s for s in json.loads(fixed.stdout)["results"]}
    assert [(r["fix"], r["error"], r["verdict"]) for r in sections["fixes"]["rows"]] == [
        ("relabel-to-reshape", 0, "pass")
    ]
    assert run("check", "fixed.onnx", *arguments[2:]).code == 0
    assert run(*arguments, "--fix=no-such").code == 2
    assert run(*arguments, "-t", "nnapi", "--fix").code == 2
