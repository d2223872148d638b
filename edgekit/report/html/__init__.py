"""The report as one HTML file: nothing is loaded from anywhere, so it can be mailed and archived."""

from __future__ import annotations

from pathlib import Path

from edgekit.report.html.view import page
from edgekit.report.model import Graph, Report

_FOLDER = Path(__file__).parent


def render(report: Report) -> str:
    """Renders the report as a self-contained page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = ["style.css", "script.js"]
    if any(isinstance(section, Graph) for section in report.results):
        names += ["graph.css", "graph.js"]
    parts = {name: (_FOLDER / name).read_text(encoding="utf-8") for name in names}
    return environment.get_template("page.html.j2").render(
        page=page(report),
        style="\n".join(text for name, text in parts.items() if name.endswith(".css")),
        script="\n".join(text for name, text in parts.items() if name.endswith(".js")),
        document=report.to_dict(),
    )
