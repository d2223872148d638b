"""Reading YAML: lines of everything, and what is refused."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.diagnostics import EdgekitError
from edgekit.target.tree import MAX_BYTES, parse_tree, read_tree, scalar

_LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


def test_every_value_knows_its_line() -> None:
    tree = parse_tree("a: 1\nb:\n  - x\n  - c: [1, 2]\n", "f.yaml")
    assert tree.value == {"a": 1, "b": ["x", {"c": [1, 2]}]}
    lines = {
        path: tree.where(path).line for path in [("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "c", 1)]
    }
    assert list(lines.values()) == [1, 2, 3, 4, 4]
    assert tree.where(("b", 1, "missing")).line == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1), ("-2", -2), ("1.5", 1.5), ("1e3", 1000.0), ("true", True), ("no", "no"), ("~", None)),
        *(("", None), ("0x10", "0x10"), ("1_000", "1_000"), ("5.2.0", "5.2.0"), (".inf", ".inf")),
        ("9" * 40, "9" * 40),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: &x 2\n", 2, "anchors and aliases"),
        (_LAUGHS, 1, "anchors and aliases"),
        ("a: !!python/object/apply:os.system [x]\n", 1, "the tag"),
        ("a: !include secret.yaml\n", 1, "the tag"),
        ("a: 1\n---\nb: 2\n", 2, "one document"),
        ("? [1, 2]\n: x\n", 1, "a key must be plain text"),
        ("a: [1, 2\n", 2, "not valid YAML"),
        ("a:\t1\n b: 2\n", 1, "not valid YAML"),
        ("a: " + "[" * 100, 1, "nested deeper"),
        ("a: " + "{x: " * 100, 1, "nested deeper"),
        ("k" * 1020 + ": 1\n", 1, "a key is longer"),
    ],
)
def test_what_a_descriptor_never_needs_is_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(EdgekitError) as caught:
        parse_tree(text, "f.yaml")
    (problem,) = caught.value.diagnostics
    assert problem.code == "EK207"
    assert words in problem.message
    assert problem.where.line == line


def test_all_keys_that_are_given_twice_are_reported() -> None:
    tree = parse_tree("a: 1\na: 2\nb: {c: 1, c: 2}\n", "f.yaml")
    assert [(d.where.line, d.message) for d in tree.problems] == [
        (2, "the key `a` is given twice, first in line 1"),
        (3, "the key `c` is given twice, first in line 3"),
    ]


@pytest.mark.parametrize("content", [b"k" * 10_000_000 + b": 1\n", b"a: 1\n" * (MAX_BYTES // 4)])
def test_large_files_are_refused_before_they_are_parsed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(content)
    begin = time.process_time()
    with pytest.raises(EdgekitError, match="larger than 1 MiB"):
        read_tree(path)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "text",
    [
        *(_LAUGHS * 100, "a: " + "[" * 500_000, "- " * 300_000, "k" * (MAX_BYTES - 10) + ": 1"),
        *("&a " * 200_000, "a: {" + "b: {" * 100_000, "? " * 200_000, "a: '" + "x" * 900_000),
        *("%" * 500_000, "!" * 500_000),
    ],
    ids=range(10),
)
def test_hostile_texts_end_quickly_in_little_memory(text: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    with pytest.raises(EdgekitError):
        parse_tree(text, "f.yaml")
    assert time.process_time() - begin < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EdgekitError, match="not UTF-8"):
        read_tree(path)
    with pytest.raises(EdgekitError, match="cannot be read"):
        read_tree(tmp_path)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:- \n[]{}&*!|>'\"#,?%@`\t0", max_size=60))
def test_any_text_gives_a_tree_or_our_error(text: str) -> None:
    failure = _failure(text)
    if failure is not None:
        assert {d.code for d in failure.diagnostics} == {"EK207"}


def _failure(text: str) -> EdgekitError | None:
    try:
        parse_tree(text, "f.yaml")
    except EdgekitError as failure:
        return failure
    return None
