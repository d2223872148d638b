"""One report model for every command, and one file per format that renders it."""

from edgekit.report.model import (
    SCHEMA,
    Check,
    CheckStatus,
    Column,
    Fact,
    Facts,
    Kind,
    Prose,
    Report,
    Row,
    Section,
    Subject,
    Table,
    Value,
    Verdict,
    VerdictStatus,
)

__all__ = [
    "SCHEMA",
    "Check",
    "CheckStatus",
    "Column",
    "Fact",
    "Facts",
    "Kind",
    "Prose",
    "Report",
    "Row",
    "Section",
    "Subject",
    "Table",
    "Value",
    "Verdict",
    "VerdictStatus",
]
