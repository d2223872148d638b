"""The one place where exceptions become exit codes."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

BROKEN_PIPE = 141
"""128 + SIGPIPE: the reader went away; neither success nor one of our verdicts."""


def guarded(run: Callable[[], Any], arguments: Sequence[str], consoles: Sequence[Any] = ()) -> int:
    """Runs a command line and returns its exit code, whatever happens.

    Args:
        run: Parses and runs; returns the exit code, or `None` for 0.
        arguments: The command line, for crash reports and to know the wanted format.
        consoles: Filled with the console of the command, as soon as there is one.

    Returns:
        One of `ExitCode`, or `INTERRUPTED`, or `BROKEN_PIPE`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a console may lack a letter
    try:
        code = _guarded(run, arguments, consoles)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as failure:
        if failure.errno != errno.EPIPE:
            raise
        # What is left in the buffer would fail again when Python closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _guarded(run: Callable[[], Any], arguments: Sequence[str], consoles: Sequence[Any]) -> int:
    try:
        code = run()
        return 0 if code is None else int(code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted", err=True)
        return INTERRUPTED
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as failure:
        from edgekit.cli.usage import from_click

        return _failed(from_click(failure), arguments, consoles)
    except OSError as failure:
        if failure.errno == errno.EPIPE:
            raise
        return _crashed(failure, arguments, consoles)
    except Exception as failure:  # noqa: BLE001 - it becomes a crash report, never a silent end
        from edgekit.diagnostics import EdgekitError

        if isinstance(failure, EdgekitError):
            return _failed(failure, arguments, consoles)
        return _crashed(failure, arguments, consoles)


def _failed(failure: Any, arguments: Sequence[str], consoles: Sequence[Any]) -> int:
    """Shows what ended a command, as the command itself would."""
    from edgekit.cli.console import Console, failure_report, wanted
    from edgekit.cli.main import COMMANDS

    command = next((a for a in arguments if a in COMMANDS), "")
    console = consoles[-1] if consoles else wanted(arguments)
    try:
        console.finish(failure_report(command, failure, console.subject))
    except Exception as second:
        if isinstance(second, OSError) and second.errno == errno.EPIPE:
            raise
        # The report could not be shown where or how it was wanted; both errors go to the terminal.
        failure = _both(failure, second, arguments)
        Console(color=console.color).finish(failure_report(command, failure, console.subject))
    return int(failure.exit_code)


def _both(first: Any, second: Exception, arguments: Sequence[str]) -> Any:
    from edgekit.cli.crash import crash_error
    from edgekit.diagnostics import EdgekitError

    known = second if isinstance(second, EdgekitError) else crash_error(second, arguments)
    return EdgekitError(*first.diagnostics, *known.diagnostics)


def _crashed(failure: Exception, arguments: Sequence[str], consoles: Sequence[Any]) -> int:
    from edgekit.cli.crash import crash_error

    return _failed(crash_error(failure, arguments), arguments, consoles)
