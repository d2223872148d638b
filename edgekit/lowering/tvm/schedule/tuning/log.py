"""The log of tuning: JSON lines, one measurement each; safe to append to and to copy between models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Diagnostic, Severity
from edgekit.diagnostics.diagnostic import Where


@dataclass(frozen=True)
class Decision:
    """A tile and the order of its loops."""

    rows: int
    vectors: int
    columns_first: bool


@dataclass(frozen=True)
class Trial:
    """One measurement.

    Attributes:
        workload: Hash of the function.
        target: The target, as TVM writes it.
        decision: What was measured.
        microseconds: How long one call took; None if it could not be compiled or run.
    """

    workload: str
    target: str
    decision: Decision
    microseconds: float | None


def read_log(path: Path) -> tuple[list[Trial], tuple[Diagnostic, ...]]:
    """Reads a log; a file that does not exist is an empty one.

    Returns:
        The trials in order, and warnings EK206 for what cannot be read; damaged lines are left out.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return [], ()
    except OSError as problem:
        return [], (_damaged(path, None, f"the tuning log cannot be read: {problem.strerror}"),)
    trials: list[Trial] = []
    bad: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        trial = _parsed(line)
        if trial is not None:
            trials.append(trial)
        elif line.strip():
            bad.append(number)
    if not bad:
        return trials, ()
    return trials, (_damaged(path, bad[0], f"the tuning log has {len(bad)} lines that are no measurements"),)


def _parsed(line: str) -> Trial | None:
    try:
        entry = json.loads(line)
        decision = Decision(**entry["decision"])
        time = entry["microseconds"]
        trial = Trial(entry["workload"], entry["target"], decision, None if time is None else float(time))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    numbers = all(type(n) is int and n > 0 for n in (decision.rows, decision.vectors))
    texts = isinstance(trial.workload, str) and isinstance(trial.target, str)
    sensible = trial.microseconds is None or 0 < trial.microseconds < float("inf")
    return trial if numbers and texts and sensible and type(decision.columns_first) is bool else None


def _damaged(path: Path, line: int | None, message: str) -> Diagnostic:
    return Diagnostic(
        "EK206",
        message,
        severity=Severity.WARNING,
        where=Where(file=str(path), line=line),
        help="delete the file, or the lines, and tune again; schedules without a measurement are estimated",
    )


def append(path: Path, trial: Trial) -> None:
    """Adds a measurement as one line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(trial), sort_keys=True) + "\n")


def best(trials: Iterable[Trial], target: str) -> dict[str, Mapping[str, Any]]:
    """Returns the fastest decision for each workload on a target; of equal ones the first."""
    found: dict[str, Trial] = {}
    for trial in trials:
        if trial.target != target or trial.microseconds is None:
            continue
        known = found.get(trial.workload)
        if known is None or trial.microseconds < (known.microseconds or 0.0):
            found[trial.workload] = trial
    return {name: asdict(trial.decision) for name, trial in found.items()}
