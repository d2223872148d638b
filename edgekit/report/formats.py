"""The one table of formats, each loaded on use."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from edgekit.report.model import Report

FORMATS: dict[str, str] = {
    "text": "edgekit.report.text",
    "json": "edgekit.report.json",
    "md": "edgekit.report.md",
    "junit": "edgekit.report.junit",
    "github": "edgekit.report.github",
    "sarif": "edgekit.report.sarif",
    "html": "edgekit.report.html",
}
"""Modules by format; each has `render(report) -> str`."""


def render(report: Report, format: str) -> str:
    """Renders a report.

    Args:
        report: What to render.
        format: A key of `FORMATS`.

    Returns:
        The whole document, with a final line break.
    """
    renderer: Callable[[Report], str] = importlib.import_module(FORMATS[format]).render
    return renderer(report)
