"""Every code has an explanation, every explanation a code, and the source uses no other code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import edgekit
from edgekit.diagnostics import CODES
from edgekit.diagnostics.explain import explained, explanation

PACKAGE = Path(edgekit.__file__).parent
CODE = re.compile(r"\bEK\d{3}\b")


def test_codes_and_explanations_are_the_same_set() -> None:
    assert set(explained()) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_has_its_four_parts(code: str) -> None:
    text = explanation(code)
    assert text.title == CODES[code].title
    heads = [line for line in text.markdown.split("\n") if line.startswith("#")]
    assert heads == [f"# {code}: {text.title}", "## Why", "## Example", "## What to do"]
    example = text.markdown.split("## Example")[1].split("## What to do")[0]
    assert f"[{code}]" in example.split("```")[1]
    assert len(text.summary) > 30


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_stays_within_the_width_of_a_page(code: str) -> None:
    prose = explanation(code).markdown.split("```")[::2]  # a message in an example is one long line
    assert [line for part in prose for line in part.split("\n") if len(line) > 110] == []


def test_the_source_uses_only_codes_of_the_table() -> None:
    used = {
        (code, path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for code in CODE.findall(path.read_text(encoding="utf-8"))
    }
    unknown = {use for use in used if use[0] not in CODES and use[1] != Path("cli/explain.py")}
    assert unknown == set()


def test_explanations_mention_only_codes_of_the_table() -> None:
    mentioned = {m for code in explained() for m in CODE.findall(explanation(code).markdown)}
    assert mentioned <= set(CODES)
