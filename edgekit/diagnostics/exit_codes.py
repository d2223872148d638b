"""The exit codes of the command line, shared with errors raised from Python."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What a process exit status means; the only table of its kind."""

    HOLDS = 0
    """The work was done and every check holds."""
    DOES_NOT_HOLD = 1
    """Checked, and it does not hold: refused op, mismatch, regression."""
    USAGE = 2
    """Usage, configuration or invalid input."""
    BUG = 3
    """A bug in edgekit itself."""
    UNAVAILABLE = 4
    """A backend, an extra or a device is not available."""
    NOTHING_CHECKED = 5
    """Nothing was checked, so nothing can be claimed."""
