"""The descriptors that are shipped."""

from __future__ import annotations

import re
import textwrap
import time
import tomllib
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from edgekit.compat import all_targets, target
from edgekit.compat.lint import lint
from edgekit.compat.rules import graph_rules, rules
from edgekit.report.target_pages import pages
from edgekit.target import Basis, Target, builtin_folder
from edgekit.target.json_schema import json_schema
from edgekit.target.tree import read_tree

ROOT = Path(__file__).parents[3]
FILES = sorted(builtin_folder().rglob("*.yaml"))
TARGETS = all_targets()


def test_there_are_many_of_each_kind() -> None:
    kinds = Counter(str(target.kind) for target in TARGETS)
    assert len(TARGETS) >= 30
    assert set(kinds) == {"phone", "asic", "fpga", "mcu", "sbc"}
    families = ("android-cpu", "android-gpu", "nnapi", "edgetpu", "imx500", "max78000", "finn", "dpucahx8h")
    assert set(families) <= {target.id for target in TARGETS}


@pytest.mark.parametrize("chip", TARGETS, ids=lambda t: t.id)
def test_every_row_names_its_source(chip: Target) -> None:
    for entry in chip.ops.values():
        assert chip.sources[entry.source or chip.source].where
    assert chip.toolchain.version
    assert not chip.abstract


def test_lint_has_nothing_to_say() -> None:
    assert [(d.where.file, d.where.line, d.message) for d in lint(()).problems] == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_schema_of_editors_accepts_them(path: Path) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(rules(), graph_rules()))
    assert list(validator.iter_errors(read_tree(path).value)) == []


def test_the_schema_of_editors_refuses_mistakes() -> None:
    schema = json_schema(rules(), graph_rules())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = {
        "schema": "edgekit.target/1",
        "id": "x",
        "ops": {"ADD": {"rules": [{"stride-range": {"high": 3}}]}},
    }
    assert validator.is_valid(good)
    for rule in (
        {"stride-rang": {"high": 3}},
        {"stride-range": {"hi": 3}},
        {"stride-range": {}},
        "no-rule",
        7,
    ):
        assert not validator.is_valid({**good, "ops": {"ADD": {"rules": [rule]}}})
    assert not validator.is_valid({**good, "colour": "red"})


def test_the_pages_are_current() -> None:
    written = pages(all_targets(families=True))
    folder = ROOT / "docs" / "targets"
    assert {path.name for path in folder.iterdir()} == set(written)
    for name, text in written.items():
        assert (folder / name).read_text(encoding="utf-8") == text, f"run `edgekit target docs`: {name}"


def test_they_are_shipped_in_the_wheel() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert build["wheel"]["force-include"] == {"targets": "edgekit/targets"}
    assert "targets" in build["sdist"]["include"]


def test_all_are_loaded_in_a_moment() -> None:
    begin = time.process_time()
    all_targets(families=True)
    assert time.process_time() - begin < 1  # they are kept


def test_what_is_not_verified_says_so() -> None:
    by_id = {target.id: target for target in TARGETS}
    assert by_id["max78000"].basis is Basis.RECALLED
    assert by_id["iphone-ane-ios17"].basis is Basis.COMMUNITY
    assert by_id["edgetpu"].ops["SOFTMAX"].basis is Basis.RECALLED


def test_the_examples_of_the_page_are_valid(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "descriptors.md").read_text(encoding="utf-8")
    own, listed = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "our-board.yaml"
    path.write_text(own)
    made = target(path)
    assert made.ops["SOFTMAX"].accelerated is False
    assert made.memory.sram == 262144
    assert [d.message for d in lint([str(path)]).problems] == []
    path.write_text(
        own + textwrap.indent(listed, "    ").replace("    rules:", "  RESIZE_BILINEAR:\n    rules:", 1)
    )
    assert len(target(path).ops["RESIZE_BILINEAR"].rules) == 4


def test_every_key_of_the_schema_is_on_the_page() -> None:
    text = (ROOT / "docs" / "descriptors.md").read_text(encoding="utf-8")
    keys = {field.alias or name for name, field in Target.model_fields.items()} - {"layout", "note"}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []
