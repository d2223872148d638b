"""What each format promises to the tool that reads it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgekit.diagnostics import Diagnostic, ExitCode, Severity, Where
from edgekit.report import Check, CheckStatus, Report, Subject, Verdict, VerdictStatus
from edgekit.report.formats import FORMATS, render
from edgekit.report.html import markup


def with_diagnostics(*diagnostics: Diagnostic) -> Report:
    verdict = Verdict(VerdictStatus.FAILED, "ended by 1 error", ExitCode.DOES_NOT_HOLD)
    return Report("convert", Subject("m"), verdict, diagnostics=diagnostics, environment={"edgekit": "0.1.0"})


@pytest.mark.parametrize("format", FORMATS)
def test_every_report_renders_in_every_format(any_report: Report, format: str) -> None:
    document = render(any_report, format)
    assert document.endswith("\n")
    assert document.encode("utf-8")


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "json"])
def test_escape_sequences_never_come_through(hostile: Report, format: str) -> None:
    assert "\x1b" not in render(hostile, format)


class TestMarkdown:
    def test_the_verdict_is_the_last_line(self, mismatch: Report) -> None:
        last = render(mismatch, "md").rstrip("\n").split("\n")[-1]
        assert last.startswith("❌ **failed**: \\`mobilenet\\_v2.tflite\\` differs")

    def test_rows_of_a_table_have_as_many_cells_as_its_head(self, verified: Report) -> None:
        for block in render(verified, "md").split("\n\n"):
            rows = [line for line in block.split("\n") if line.startswith("|")]
            counts = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
            assert len(counts) <= 1, block

    def test_names_cannot_break_a_table_or_add_html(self, hostile: Report) -> None:
        document = re.sub(r"(`+) .*? \1", "", render(hostile, "md"))  # what is code stays as it is
        assert re.findall(r"(?<!\\)<(?!/?(?:details|summary|sub)>)", document) == []

    def test_long_tables_are_folded(self, verified: Report) -> None:
        assert "<details><summary>Source nodes</summary>" in render(verified, "md")


class TestJUnit:
    def test_one_case_for_each_output_with_its_result(self, mismatch: Report) -> None:
        suite = ET.fromstring(render(mismatch, "junit")).find("testsuite")
        assert suite is not None
        cases = {case.get("name"): case for case in suite.findall("testcase")}
        assert cases["logits"].find("failure") is not None
        assert cases["boxes"].find("failure") is None
        assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "2", "0")

    def test_what_was_not_checked_is_skipped_not_passed(self) -> None:
        check = Check("verification", CheckStatus.UNCHECKED, "switched off")
        report = Report("convert", Subject("m"), Verdict(VerdictStatus.UNVERIFIED, "x"), checks=(check,))
        suite = ET.fromstring(render(report, "junit")).find("testsuite")
        assert suite is not None
        assert (suite.get("tests"), suite.get("skipped")) == ("1", "1")

    def test_a_suite_is_never_empty(self) -> None:
        for code, failures in ((ExitCode.HOLDS, "0"), (ExitCode.UNAVAILABLE, "1")):
            report = Report("doctor", Subject(""), Verdict(VerdictStatus.OK, "x", code))
            suite = ET.fromstring(render(report, "junit")).find("testsuite")
            assert suite is not None
            assert (suite.get("tests"), suite.get("failures")) == ("1", failures)

    def test_hostile_names_stay_well_formed(self, hostile: Report) -> None:
        root = ET.fromstring(render(hostile, "junit"))
        assert root.find("testsuite/testcase/failure") is not None


class TestGitHub:
    def test_an_annotation_points_at_the_line(self) -> None:
        where = Where("src/model.py", 12, ("n",))
        first = render(with_diagnostics(Diagnostic("EK302", "no: such, op", where=where)), "github").split(
            "\n"
        )[0]
        assert first == "::error title=EK302,file=src/model.py,line=12::no: such, op%0Anodes: `n`"

    @pytest.mark.parametrize(
        ("severity", "level"),
        [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "notice")],
    )
    def test_levels(self, severity: Severity, level: str) -> None:
        assert render(with_diagnostics(Diagnostic("EK304", "m", severity)), "github").startswith(
            f"::{level} "
        )

    def test_every_line_is_one_command_whatever_the_names_are(self, any_report: Report) -> None:
        for line in render(any_report, "github").rstrip("\n").split("\n"):
            assert re.match(r"::(error|warning|notice) [a-z]+=", line), line

    def test_the_verdict_is_last(self, verified: Report) -> None:
        last = render(verified, "github").rstrip("\n").split("\n")[-1]
        assert last.startswith("::notice title=edgekit convert::ok: ")


class TestSarif:
    def test_results_refer_to_their_rules(self, refused: Report) -> None:
        run = json.loads(render(refused, "sarif"))["runs"][0]
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["message"]["text"]

    def test_places_in_the_project_are_relative(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "src").mkdir()
        inside = Diagnostic("EK302", "m", where=Where(str(tmp_path / "src" / "a b.py"), 3, ("n",), "body.0"))
        document = json.loads(render(with_diagnostics(inside), "sarif"))
        [location] = document["runs"][0]["results"][0]["locations"]
        assert location["physicalLocation"] == {
            "artifactLocation": {"uri": "src/a%20b.py"},
            "region": {"startLine": 3},
        }
        assert [e["fullyQualifiedName"] for e in location["logicalLocations"]] == ["body.0", "n"]

    def test_a_place_elsewhere_is_a_file_uri(self) -> None:
        document = json.loads(
            render(with_diagnostics(Diagnostic("EK101", "m", where=Where("/nowhere/x"))), "sarif")
        )
        uri = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == "file:///nowhere/x"

    def test_the_exit_code_is_told(self, mismatch: Report) -> None:
        [invocation] = json.loads(render(mismatch, "sarif"))["runs"][0]["invocations"]
        assert invocation["exitCode"] == 1
        assert invocation["executionSuccessful"] is True


class Page(HTMLParser):
    """Collects what matters of a page: elements, links, text of scripts."""

    VOID = frozenset({"meta", "input", "path", "br"})

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.ids: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data


class TestHtml:
    def test_the_page_is_well_formed_and_ids_are_unique(self, any_report: Report) -> None:
        page = Page(render(any_report, "html"))
        assert page.open == []
        assert len(page.ids) == len(set(page.ids))

    def test_nothing_is_loaded_from_anywhere(self, any_report: Report) -> None:
        page = Page(render(any_report, "html"))
        loaded = [
            (t, n, v) for t, n, v in page.attributes if n in ("src", "href", "srcset", "action", "data")
        ]
        assert all(t == "a" and v.startswith("#") for t, n, v in loaded), loaded
        assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
        style = render(any_report, "html").split("<style>")[1].split("</style>")[0]
        assert "url(" not in style
        assert "@import" not in style

    def test_the_policy_of_the_page_forbids_the_network(self, verified: Report) -> None:
        [policy] = [v for t, n, v in Page(render(verified, "html")).attributes if v.startswith("default-src")]
        assert policy.startswith("default-src 'none'")
        assert "http" not in policy

    def test_names_cannot_add_elements_or_handlers(self, hostile: Report, verified: Report) -> None:
        page = Page(render(hostile, "html"))
        assert page.tags.count("script") == Page(render(verified, "html")).tags.count("script") == 2
        assert "img" not in page.tags
        assert not [n for _, n, _ in page.attributes if n.startswith("on")]

    def test_the_page_carries_the_same_data_as_json(self, any_report: Report) -> None:
        [document, _] = Page(render(any_report, "html")).scripts
        assert json.loads(document) == any_report.to_dict()

    def test_every_link_of_the_navigation_leads_somewhere(self, mismatch: Report) -> None:
        page = Page(render(mismatch, "html"))
        assert {v[1:] for t, n, v in page.attributes if (t, n) == ("a", "href")} <= set(page.ids)

    def test_the_source_line_is_quoted_with_its_surroundings(self, refused: Report) -> None:
        document = render(refused, "html")
        assert "return up(x, mode=&#39;crop&#39;)" in document
        assert "def forward(x):" in document

    def test_a_large_model_makes_a_page_of_a_few_hundred_kilobytes(self) -> None:
        from edgekit.report import Column, Kind, Table

        rows = tuple({"n": f"/block.{i}/Conv", "e": ["CONV_2D"]} for i in range(3000))
        table = Table("nodes", "Nodes", (Column("n", "n", Kind.NAME), Column("e", "e", Kind.NAMES)), rows)
        report = Report("convert", Subject("m"), Verdict(VerdictStatus.OK, "x"), (table,))
        assert len(render(report, "html")) < 2_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a `b` <c>", "a <code>b</code> &lt;c&gt;"),
        ("an odd ` tick", "an odd ` tick"),
        ("`<script>`", "<code>&lt;script&gt;</code>"),
    ],
)
def test_inline_markup(text: str, expected: str) -> None:
    assert markup.inline(text) == expected


def test_block_markup() -> None:
    text = "one\ntwo\n\n## Why\n\n```\n<a>\n\nb\n```\n- x\n  y\n- z\n\n    indented"
    assert str(markup.blocks(text)) == "\n".join(
        (
            "<p>one two</p>",
            "<h3>Why</h3>",
            "<pre><code>&lt;a&gt;\n\nb</code></pre>",
            "<ul><li>x y</li><li>z</li></ul>",
            "<pre><code>indented</code></pre>",
        )
    )
