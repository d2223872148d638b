"""Text for terminals: width, numbers that are never cut, names that cannot steer the terminal."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.diagnostics import Diagnostic, Where
from edgekit.report import (
    Column,
    Fact,
    Facts,
    Kind,
    Prose,
    Report,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
    text,
)
from edgekit.report.paint import ansi_paint
from edgekit.report.snippet import render as render_diagnostic
from edgekit.report.values import clean, show

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def report_of(*sections: Facts | Table | Prose) -> Report:
    return Report("inspect", Subject("m"), Verdict(VerdictStatus.OK, "done"), sections)


def lines(*sections: Facts | Table | Prose, width: int = 80, **options: bool) -> list[str]:
    return text.body(report_of(*sections), width=width, **options).split("\n")


def table(rows: int, name: str = "node") -> Table:
    columns = (Column("n", "name", Kind.NAME), Column("c", "count", Kind.COUNT), Column("t", "text"))
    values = tuple({"n": f"{name}{i}", "c": 123456789, "t": "some words"} for i in range(rows))
    return Table("t", "Things", columns, values)


def test_the_verdict_is_the_last_line(any_report: Report) -> None:
    last = text.render(any_report).rstrip("\n").split("\n")[-1]
    assert last == f"{any_report.verdict.status}: {clean(any_report.verdict.text)}"


def test_nothing_in_a_report_can_steer_the_terminal(hostile: Report) -> None:
    assert not CONTROL.search(text.render(hostile))


@given(st.text(max_size=60))
def test_cleaned_text_is_printable_and_keeps_what_was(raw: str) -> None:
    cleaned = clean(raw)
    assert cleaned.isprintable()
    if raw.isprintable():
        assert cleaned == raw


@given(
    st.lists(
        st.tuples(
            st.text(string.ascii_letters + "/._", max_size=90), st.integers(0, 10**12), st.text(max_size=90)
        ),
        max_size=6,
    ),
    st.integers(40, 120),
)
def test_no_line_of_a_table_is_wider_than_the_terminal(rows: list[tuple[str, int, str]], width: int) -> None:
    columns = (Column("n", "name", Kind.NAME), Column("c", "count", Kind.COUNT), Column("t", "words"))
    values = tuple({"n": n, "c": c, "t": t} for n, c, t in rows)
    for line in lines(Table("t", "Things", columns, values), width=width):
        assert len(line) <= width, line


@given(st.integers(20, 60))
def test_numbers_are_never_cut_however_narrow_the_terminal(width: int) -> None:
    columns = tuple(Column(str(i), f"column {i}", Kind.COUNT) for i in range(5))
    shown = "\n".join(lines(Table("t", "T", columns, ({str(i): 10**i for i in range(5)},)), width=width))
    for i in range(5):
        assert show(10**i, Kind.COUNT) in shown


def test_a_long_name_loses_its_middle_and_keeps_its_end() -> None:
    name = "/encoder/layers.11/attention/query/MatMul"
    [row] = [line for line in lines(table(1, name), width=45) if "words" in line]
    assert "..." in row
    assert "MatMul0" in row


def test_long_tables_are_cut_unless_everything_is_wanted() -> None:
    short = lines(table(100))
    assert len(short) < 70
    assert "40 more, shown with -v" in short[-1]
    assert sum("node" in line for line in lines(table(100), everything=True)) == 100


def test_details_are_shown_only_when_everything_is_wanted() -> None:
    detail = Facts("recipe", "Recipe", (Fact("a", "opset", 17),), detail=True)
    assert lines(detail) == [""]
    assert "Recipe" in lines(detail, everything=True)


def test_an_empty_table_says_so() -> None:
    assert lines(Table("p", "Plugins", (Column("n", "name"),), ())) == ["Plugins", "  none"]


def test_prose_sets_headings_code_and_lists() -> None:
    markdown = "one two\nthree\n\n## Why\n\n```\n  code   stays\n```\n\n- an item\n- another\n"
    assert lines(Prose("e", "Title", markdown)) == [
        "Title",
        "  one two three",
        "",
        "  Why",
        "",
        "      code   stays",
        "",
        "  - an item",
        "  - another",
    ]


def test_colours_do_not_change_the_text(any_report: Report) -> None:
    plain = text.body(any_report, everything=True)
    painted = text.body(any_report, everything=True, paint=ansi_paint)
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, Kind.COUNT, "-"),
        (True, Kind.TEXT, "yes"),
        (1234567, Kind.COUNT, "1,234,567"),
        (999, Kind.SIZE, "999 B"),
        (1000, Kind.SIZE, "1 kB"),
        (14_012_345, Kind.SIZE, "14 MB"),
        (999_999, Kind.SIZE, "1 MB"),
        (349_151_936, Kind.OPS, "349 M"),
        (0.25, Kind.SHARE, "25.0 %"),
        (123.44, Kind.DECIBEL, "123.4 dB"),
        (float("inf"), Kind.DECIBEL, "inf"),
        (float("nan"), Kind.REAL, "nan"),
        (0, Kind.REAL, "0"),
        (1.25e-7, Kind.REAL, "1.2e-07"),
        (0.5, Kind.REAL, "0.5"),
        (1.0, Kind.COSINE, "1.000000"),
        (0.99999999, Kind.COSINE, "0.999999+"),
        (0.91, Kind.COSINE, "0.910000"),
        (["a", "b"], Kind.NAMES, "a, b"),
        ([], Kind.NAMES, "-"),
        ("unknown", Kind.OPS, "unknown"),
    ],
)
def test_values_are_shown_by_their_kind(value: object, kind: Kind, expected: str) -> None:
    assert show(value, kind) == expected  # type: ignore[arg-type]


def test_a_diagnostic_reads_like_the_rust_compiler(tmp_path) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "model.py"
    source.write_text("class Net:\n    def forward(self, x):\n        return fft(x)\n", encoding="utf-8")
    diagnostic = Diagnostic(
        "EK302",
        "`FFT` cannot be lowered to tflite: there is no op for it",
        where=Where(str(source), 3, ("/body/FFT", "/body/FFT_1"), "body.fft"),
        notes=("LiteRT has only `RFFT2D`",),
        help="leave the transform to the application",
    )
    shown = render_diagnostic(diagnostic, width=72).replace(str(source), "model.py")
    assert shown == "\n".join(
        (
            "error[EK302]: `FFT` cannot be lowered to tflite: there is no op for it",
            "  --> model.py:3 in `body.fft`",
            "   |",
            " 3 |         return fft(x)",
            "   |",
            "   = nodes: `/body/FFT`, `/body/FFT_1`",
            "   = note: LiteRT has only `RFFT2D`",
            "   = help: leave the transform to the application",
        )
    )


def test_a_model_cannot_make_a_report_quote_any_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    secret = tmp_path / "secrets.yaml"
    secret.write_text("password: hunter2\n", encoding="utf-8")
    of_a_node = Diagnostic("EK302", "m", where=Where(str(secret), 1, ("n",)))
    assert "hunter2" not in render_diagnostic(of_a_node)
    of_the_configuration = Diagnostic("EK202", "m", where=Where(str(secret), 1))
    assert "hunter2" in render_diagnostic(of_the_configuration)


@pytest.mark.parametrize("content", [None, b"\xff\xfe broken", b"one line only\n"])
def test_a_line_that_cannot_be_quoted_is_only_named(tmp_path, content: bytes | None) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "model.py"
    if content is not None:
        source.write_bytes(content)
    shown = render_diagnostic(Diagnostic("EK302", "m", where=Where(str(source), 7)))
    assert shown.split("\n") == ["error[EK302]: m", f"  --> {source}:7"]


def test_what_stands_in_backticks_is_never_broken() -> None:
    command = 'pip install "edgekit[torch]" and many other words that follow it'
    shown = render_diagnostic(Diagnostic("EK501", "m", help=f"first of all do this: `{command}`"), width=40)
    assert command in shown


def test_many_nodes_are_counted_not_listed() -> None:
    shown = render_diagnostic(Diagnostic("EK302", "m", where=Where(nodes=tuple(f"n{i}" for i in range(100)))))
    assert "and 94 more" in shown
