"""The report as JSON; `report.schema.json` beside this file documents it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekit.report.model import Report

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")
"""The JSON schema of the document."""


def render(report: Report) -> str:
    """Renders the report as one JSON document with a final line break."""
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def schema() -> dict[str, Any]:
    """Returns the JSON schema of the document."""
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded
