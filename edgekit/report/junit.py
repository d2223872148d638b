"""The report as JUnit XML: one test case per check, one per error that belongs to no check."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from edgekit.diagnostics import Severity
from edgekit.report import snippet
from edgekit.report.model import Check, CheckStatus, Report

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """Renders the report as one test suite; a command without checks is one test case, its verdict."""
    errors = [d for d in report.diagnostics if d.severity is Severity.ERROR]
    suite = ET.Element("testsuite", name=_legal(f"edgekit {report.command}"))
    for check in report.checks:
        _case(suite, report, check)
    for diagnostic in errors:
        case = _named(suite, report, f"{diagnostic.code} {diagnostic.message}")
        failure = ET.SubElement(case, "failure", type=diagnostic.code, message=_legal(diagnostic.message))
        failure.text = _legal(snippet.render(diagnostic))
    if not len(suite):
        verdict = report.verdict
        case = _named(suite, report, "verdict")
        if verdict.exit_code:
            ET.SubElement(case, "failure", type=str(verdict.status), message=_legal(verdict.text))
    counts = {name: len(suite.findall(f"testcase/{name}")) for name in ("failure", "skipped")}
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", "0")
    suite.set("skipped", str(counts["skipped"]))
    root = ET.Element("testsuites")
    root.append(suite)
    output = ET.SubElement(suite, "system-out")
    output.text = _legal(f"{report.verdict.status}: {report.verdict.text}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, report: Report, check: Check) -> None:
    case = _named(suite, report, check.name)
    if check.status is CheckStatus.UNCHECKED:
        ET.SubElement(case, "skipped", message=_legal(check.message or "not checked"))
    elif check.status is CheckStatus.FAIL:
        failure = ET.SubElement(
            case, "failure", type=check.evidence or "check", message=_legal(check.message)
        )
        failure.text = _legal("\n".join(f"{name} = {value}" for name, value in check.measures.items()))


def _named(suite: ET.Element, report: Report, name: str) -> ET.Element:
    group = f"edgekit.{report.command}.{report.subject.name}" if report.subject.name else "edgekit"
    return ET.SubElement(suite, "testcase", classname=_legal(group), name=_legal(name))


def _legal(text: str) -> str:
    """Returns text without the characters that XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)
