"""The log of tuning: JSON lines, one measurement each; safe to append to and to copy between models."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Diagnostic, Severity, error
from edgekit.diagnostics.diagnostic import Where

WORTH = 1.03
"""A tile must be so many times as fast as the rule's to take its place: less is noise."""


@dataclass(frozen=True)
class Decision:
    """A tile and the order of its loops."""

    rows: int
    vectors: int
    columns_first: bool


@dataclass(frozen=True)
class Trial:
    """One measurement, taking turns with what the rule chooses by itself.

    Attributes:
        workload: Hash of the function.
        target: The target, as TVM writes it.
        tvm: The version of TVM, whose code was measured.
        decision: What was measured.
        microseconds: How long one call took; None if it could not be compiled or run.
        rule_microseconds: How long the rule's own choice took in the same minute; None as above.
    """

    workload: str
    target: str
    tvm: str
    decision: Decision
    microseconds: float | None
    rule_microseconds: float | None

    @property
    def gain(self) -> float:
        """How many times as fast as the rule's choice it is; 0 if it does not work."""
        if self.microseconds is None or self.rule_microseconds is None:
            return 0.0
        return self.rule_microseconds / self.microseconds


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
        times = [entry[name] for name in ("microseconds", "rule_microseconds")]
        decision = Decision(**entry["decision"])
        trial = Trial(entry["workload"], entry["target"], entry["tvm"], decision, *map(_time, times))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    numbers = all(type(n) is int and n > 0 for n in (decision.rows, decision.vectors))
    texts = all(isinstance(text, str) for text in (trial.workload, trial.target, trial.tvm))
    return trial if numbers and texts and type(decision.columns_first) is bool else None


def _time(value: Any) -> float | None:
    """Reads a time.

    Raises:
        ValueError: If it is not above 0 and finite.
    """
    if value is None:
        return None
    if not 0 < float(value) < float("inf"):
        raise ValueError(value)
    return float(value)


def _damaged(path: Path, line: int | None, message: str) -> Diagnostic:
    return Diagnostic(
        "EK206",
        message,
        severity=Severity.WARNING,
        where=Where(file=str(path), line=line),
        help="delete the file, or the lines, and tune again; schedules without a measurement are estimated",
    )


def require_writable(path: Path) -> None:
    """Finds out before hours of tuning whether measurements can be kept; makes the file.

    Raises:
        EdgekitError: EK506 with the reason of the operating system.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK506", f"the tuning log `{path}` cannot be written: {reason}") from failure


def append(path: Path, trial: Trial) -> None:
    """Adds a measurement as one line, in one write: what interrupts it leaves whole lines."""
    line = json.dumps(asdict(trial), sort_keys=True) + "\n"
    with path.open("a+b", buffering=0) as file:
        if file.tell() and not _ends_a_line(file):
            line = "\n" + line
        file.write(line.encode())


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def applicable(
    trials: Iterable[Trial], target: str, tvm: str, workloads: Collection[str]
) -> tuple[list[Trial], Counter[str]]:
    """Returns the trials that say something of a module, and how many do not, by reason."""
    found, left = [], Counter[str]()
    for trial in trials:
        if trial.target != target:
            left["were made for another target"] += 1
        elif trial.tvm != tvm:
            left[f"were made with TVM {trial.tvm}, this is {tvm}"] += 1
        elif trial.workload not in workloads:
            left["are of functions that this model does not have"] += 1
        else:
            found.append(trial)
    return found, left


def best(trials: Iterable[Trial]) -> dict[str, Mapping[str, Any]]:
    """Returns for each workload the decision that gains most over the rule, where one gains enough."""
    return {name: asdict(trial.decision) for name, trial in gains(trials).items()}


def gains(trials: Iterable[Trial]) -> dict[str, Trial]:
    """Returns for each workload the trial that gains most over the rule, where one gains enough."""
    found: dict[str, Trial] = {}
    for trial in trials:
        known = found.get(trial.workload)
        if trial.gain >= WORTH and (known is None or trial.gain > known.gain):
            found[trial.workload] = trial
    return found


def unused(path: Path, left: Mapping[str, int], *, all_unused: bool) -> tuple[Diagnostic, ...]:
    """Says which measurements of a log are not used, and why; a warning if none is used."""
    if not left:
        return ()
    return (
        Diagnostic(
            "EK206",
            "no measurement of the tuning log applies: the schedules are those of the rules"
            if all_unused
            else f"{sum(left.values())} measurements of the tuning log are not used",
            severity=Severity.WARNING if all_unused else Severity.NOTE,
            where=Where(file=str(path)),
            notes=tuple(f"{count} {reason}" for reason, count in left.items()),
            help="tune again for this model, CPU and version of TVM" if all_unused else None,
        ),
    )
