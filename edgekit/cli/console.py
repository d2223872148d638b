"""Where output goes: results on stdout, progress and diagnostics on stderr, the verdict last."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import click

from edgekit.diagnostics import Diagnostic, EdgekitError, ExitCode, error
from edgekit.report import Report, Subject, Verdict, VerdictStatus
from edgekit.report.formats import FORMATS, render
from edgekit.report.paint import Paint, ansi_paint, plain_paint

PRINTED = tuple(name for name in FORMATS if name != "html")
"""Formats that can go to stdout."""

_LOG_WIDTH = 100
_WIDEST = 120


@dataclass(slots=True)
class Console:
    """How this run talks to the user.

    Attributes:
        format: A key of `FORMATS`.
        color: `auto`, `always` or `never`.
        verbosity: -1 shows the verdict and errors only, 0 is usual, 1 shows everything.
        output: File that gets the document instead of stdout.
        html: File that gets an HTML report besides.
        subject: What the command is about, once it is known; for the report of a failure.
    """

    format: str = "text"
    color: str = "auto"
    verbosity: int = 0
    output: Path | None = None
    html: Path | None = None
    subject: Subject | None = None

    def finish(self, report: Report) -> None:
        """Writes the report where it is wanted; the last thing a command does.

        Raises:
            EdgekitError: EK506 if a file cannot be written.
        """
        if self.html is not None:
            write_text(self.html, render(report, "html"))
        if self.output is not None:
            write_text(self.output, render(report, self.format))
            self._print_verdict(report)
        elif self.format == "text":
            self._print_text(report)
        else:
            click.echo(render(report, self.format), nl=False)

    def log(self, line: str) -> None:
        """Writes a line on stderr with `-v`."""
        if self.verbosity > 0:
            click.echo(self.paint(sys.stderr)(line, "faint"), err=True, color=True)

    @contextmanager
    def library_logs(self) -> Iterator[None]:
        """Sends what libraries log or warn of to stderr with `-v`, else nowhere.

        What a user must know is a diagnostic; a library's own words are for those who look into it.
        """
        import logging

        handler = logging.StreamHandler(sys.stderr) if self.verbosity > 0 else logging.NullHandler()
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        logging.captureWarnings(True)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
            logging.captureWarnings(False)

    @contextmanager
    def stages(self) -> Iterator[Any]:
        """Shows the stage of long work: a spinner on a terminal, log lines with `-v`, else nothing.

        Yields:
            A function that takes the name of the stage which begins.
        """
        if self.verbosity != 0 or self.format != "text" or not sys.stderr.isatty():
            yield self.log
            return
        from rich.console import Console as Terminal

        terminal = Terminal(stderr=True, no_color=self.paint(sys.stderr) is plain_paint)
        with terminal.status("starting") as status:
            yield lambda stage: status.update(_shown(stage))

    def paint(self, stream: TextIO) -> Paint:
        """Returns the colours for a stream."""
        if self.color == "auto":
            wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        else:
            wanted = self.color == "always"
        return ansi_paint if wanted else plain_paint

    def _print_text(self, report: Report) -> None:
        from edgekit.report import text

        if self.verbosity >= 0 and report.results:
            paint, width = self.paint(sys.stdout), text_width(sys.stdout)
            body = text.body(report, width=width, paint=paint, everything=self.verbosity > 0)
            click.echo(f"{body}\n", color=True)
            sys.stdout.flush()
        self.print_diagnostics(report.diagnostics)
        self._print_verdict(report)

    def print_diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Writes diagnostics on stderr, in the manner of the Rust compiler; with `-q` only errors."""
        from edgekit.report import snippet

        paint, width = self.paint(sys.stderr), text_width(sys.stderr)
        for diagnostic in diagnostics:
            if self.verbosity >= 0 or diagnostic.severity == "error":
                click.echo(snippet.render(diagnostic, width=width, paint=paint) + "\n", err=True, color=True)

    def _print_verdict(self, report: Report) -> None:
        from edgekit.report import text

        click.echo(text.verdict_line(report.verdict, self.paint(sys.stdout)), color=True)


def _shown(stage: str) -> Any:
    """Returns what shows a stage on a terminal: with a bar if its share is known."""
    from edgekit.lowering.progress import Share

    if not isinstance(stage, Share):
        return stage
    from rich.progress_bar import ProgressBar
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=1, completed=stage.done, width=20), str(stage))
    return grid


def text_width(stream: TextIO) -> int:
    """Returns the columns to stay within; `COLUMNS` wins, a log gets a fixed width."""
    fallback = 80 if stream.isatty() else _LOG_WIDTH
    if not stream.isatty() and "COLUMNS" not in os.environ:
        return fallback
    return max(20, min(shutil.get_terminal_size((fallback, 24)).columns, _WIDEST))


def write_text(path: Path, text: str) -> None:
    """Writes a file, and the folders above it, at once or not at all.

    Raises:
        EdgekitError: EK506 with the reason of the operating system.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as failure:
        with suppress(OSError):  # there may be no folder to hold it
            partial.unlink(missing_ok=True)
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK506", f"`{path}` cannot be written: {reason}") from failure


def failure_report(command: str, failure: EdgekitError, subject: Subject | None = None) -> Report:
    """Returns the report of a command that was ended by an error."""
    count = sum(d.severity == "error" for d in failure.diagnostics)
    code = ExitCode(failure.exit_code)
    what = f"{command} of `{subject.name}`" if subject and subject.name else (command or "edgekit")
    text = f"{what} ended by {count} error{'s' if count != 1 else ''}"
    status = VerdictStatus.FAILED if code is ExitCode.DOES_NOT_HOLD else VerdictStatus.ERROR
    return Report(
        command,
        subject or Subject(""),
        Verdict(status, text, code),
        diagnostics=failure.diagnostics,
        environment=environment(),
    )


def environment() -> dict[str, str]:
    """Returns the versions that belong in every report."""
    import platform

    from edgekit import __version__

    return {"edgekit": __version__, "python": platform.python_version(), "platform": platform.platform()}


def wanted(arguments: Sequence[str]) -> Console:
    """Makes the console that a command line asks for, although it could not be parsed."""
    console = Console()
    for argument, value in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, joined = argument.partition("=")
        given = joined if equals else value
        if name == "--json":
            console.format = "json"
        elif name == "--format" and given in PRINTED:
            console.format = given
        elif name == "--color" and given in ("auto", "always", "never"):
            console.color = given
    return console


def with_diagnostics(report: Report, diagnostics: Sequence[Diagnostic]) -> Report:
    """Returns the report with diagnostics put before its own."""
    return replace(report, diagnostics=(*diagnostics, *report.diagnostics)) if diagnostics else report
