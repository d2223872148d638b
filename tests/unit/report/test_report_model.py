"""The JSON form: its schema, what it does with odd numbers, and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from edgekit.diagnostics import ExitCode
from edgekit.report import (
    Check,
    CheckStatus,
    Column,
    Fact,
    Facts,
    Kind,
    Report,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
)
from edgekit.report import json as json_format
from edgekit.report.model import plain
from edgekit.report.saved import from_dict


def test_every_report_fits_the_documented_schema(any_report: Report) -> None:
    jsonschema.validate(json.loads(json_format.render(any_report)), json_format.schema())


def test_the_schema_knows_every_word_of_the_enums() -> None:
    schema = json_format.schema()
    assert schema["$defs"]["kind"]["enum"] == [
        *(
            "text",
            "name",
            "names",
            "count",
            "size",
            "ops",
            "real",
            "share",
            "decibel",
            "cosine",
            "seconds",
            "status",
        )
    ]
    assert sorted(schema["$defs"]["kind"]["enum"]) == sorted(Kind)
    assert schema["properties"]["verdict"]["properties"]["status"]["enum"] == list(VerdictStatus)
    assert schema["properties"]["verdict"]["properties"]["exit_code"]["enum"] == list(ExitCode)
    assert schema["$defs"]["check"]["properties"]["status"]["enum"] == list(CheckStatus)


def test_the_schema_refuses_a_key_it_does_not_know(verified: Report) -> None:
    document = {**verified.to_dict(), "extra": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_format.schema())


def test_a_saved_report_reads_back_the_same(any_report: Report) -> None:
    document = json.loads(json_format.render(any_report))
    assert from_dict(document).to_dict() == document


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_cannot_hold_survive_the_way_there_and_back(number: float) -> None:
    report = Report(
        "run",
        Subject("m"),
        Verdict(VerdictStatus.OK, "done"),
        (Table("t", "T", (Column("v", "v", Kind.REAL),), ({"v": number},)),),
        (Check("c", CheckStatus.FAIL, measures={"max_abs": number}),),
    )
    document = json.loads(json_format.render(report))
    assert document["results"][0]["rows"] == [{"v": str(number)}]
    back = from_dict(document)
    assert str(back.checks[0].measures["max_abs"]) == str(number)


def test_numpy_scalars_become_plain_numbers() -> None:
    values = {"a": np.float32(0.5), "b": np.int64(7), "c": [np.bool_(True)], "d": Path("x")}
    assert plain(values) == {"a": 0.5, "b": 7, "c": [True], "d": "x"}
    assert json.dumps(plain(values)) == '{"a": 0.5, "b": 7, "c": [true], "d": "x"}'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: [], "its schema is `None`"),
        (lambda d: {**d, "schema": "edgekit.report/99"}, "edgekit.report/99"),
        (lambda d: {k: v for k, v in d.items() if k != "verdict"}, "'verdict' is missing"),
        (lambda d: {**d, "subject": {"colour": 1}}, "wrong type"),
        (lambda d: {**d, "results": [{"type": "poem"}]}, "no section of type `poem`"),
        (lambda d: {**d, "verdict": {"status": "fine", "text": "", "exit_code": 0}}, "fine"),
    ],
)
def test_what_is_not_a_report_is_refused_with_the_reason(verified: Report, change, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=reason):
        from_dict(change(verified.to_dict()))


def test_a_section_is_found_by_its_id() -> None:
    facts = Facts("model", "Model", (Fact("a", "a", 1),))
    report = Report("inspect", Subject("m"), Verdict(VerdictStatus.OK, "done"), (facts,))
    assert report.section("model") is facts
    assert report.section("nothing") is None
