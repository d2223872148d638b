"""`lint` finds what is possible but senseless."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.compat.lint import lint, op_names
from edgekit.diagnostics import EdgekitError, Severity
from tests.unit.compat.test_judge import HEAD


def found(folder: Path, text: str) -> list[tuple[int | None, str, str | None]]:
    path = folder / "chip.yaml"
    path.write_text(
        HEAD.replace('  log: {title: Log, version: "2", where: there}\n', "") + "fallback: cpu\n" + text
    )
    return [(d.where.line, d.message, d.help) for d in lint([str(path)]).problems]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("ops: {CONV2D: }\n", 13, "has no op `CONV2D`"),
        ("ops:\n  ADD: {rules: [stride-range: {high: 3}]}\n", 14, "`ADD` has no window"),
        ("ops:\n  ADD: {rules: [axis-last]}\n", 14, "`ADD` has no axes"),
        ("ops:\n  ADD: {rules: [constant: {of: weights}]}\n", 14, "asks for `weights`"),
        ("ops:\n  CONV_2D: {rules: [stride-range: {low: 4, high: 3}]}\n", 14, "4 is above 3"),
        ("ops:\n  CONV_2D:\n    rules: [static-shape, static-shape]\n", 15, "asked for twice"),
        ("rules: [static-shape]\nops:\n  ADD: {rules: [static-shape]}\n", 15, "holds for every op already"),
        ("ops:\n  ADD: {accelerated: false, rules: [static-shape]}\n", 14, "never asked"),
        ("ops: {ADD: }\ncpu: cortex-m56\n", 14, "does not exist"),
        ("ops:\n  CONV_2D:\n    rules:\n      - any-of: [[axis-last], [static-shape]]\n", 16, "has no axes"),
    ],
)
def test_senseless_lines(tmp_path: Path, text: str, line: int, words: str) -> None:
    rows = found(tmp_path, text)
    assert len(rows) == 1, rows
    assert rows[0][0] == line
    assert words in rows[0][1]


def test_a_near_name_is_suggested(tmp_path: Path) -> None:
    ((_, _, help),) = found(tmp_path, "ops: {CONV2D: }\n")
    assert help == "did you mean `CONV_2D`?"


def test_sources_that_nothing_names(tmp_path: Path) -> None:
    path = tmp_path / "chip.yaml"
    path.write_text(HEAD + "fallback: cpu\nops: {ADD: }\n")
    (problem,) = lint([str(path)]).problems
    assert problem.severity is Severity.WARNING
    assert (problem.where.line, problem.message) == (12, "no row and no rule names the source `log`")


def test_errors_of_loading_are_among_the_problems(tmp_path: Path) -> None:
    rows = found(tmp_path, "ops:\n  ADD: {rules: [no-rule]}\n  SUB: {rules: [nor-this]}\n")
    assert [row[0] for row in rows] == [14, 15]


def test_unknown_ids_end_it() -> None:
    with pytest.raises(EdgekitError):
        lint(["no-such-target"])


def test_dialects_know_their_ops() -> None:
    assert {"CONV_2D", "GELU"} <= op_names("tflite")
    assert {"Conv", "Upsample"} <= op_names("onnx")
