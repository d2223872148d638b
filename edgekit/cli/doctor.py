"""`edgekit doctor`: whether this installation can do its work, and what is missing."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from edgekit import plugins
from edgekit.cli.console import Console, environment
from edgekit.cli.frame import command as make
from edgekit.cli.requirements import Requirement, requirements
from edgekit.config import find
from edgekit.diagnostics import Diagnostic, ExitCode, Severity, missing_package
from edgekit.report import (
    Check,
    CheckStatus,
    Column,
    Fact,
    Facts,
    Kind,
    Report,
    Row,
    Section,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
)
from edgekit.report.saved import diagnostic_from_dict

_TIMEOUT_S = 120.0
_SELF_TEST = "convert and verify a small model"


@make("doctor", tolerant=True)
def command(console: Console) -> Report:
    """Check this installation and say what is missing.

    Converts and verifies a small model, lists runtimes and extras with the line that installs what is
    missing, loads every plugin, and looks at configuration and folders. Exits with 0 when the main job
    runs, else with 4.
    """
    console.subject = Subject("installation")
    needed, problems = _requirements()
    with console.stages() as stage:
        stage("self-test")
        test, found = self_test()
        stage("plugins")
        loaded = [(plugin, plugins.failures(plugin)) for plugin in plugins.installed()]
    checks = [*_base_checks(needed), test, _temp_check()]
    diagnostics = [*problems, *found, *plugins.clashes(), *(d for _, failures in loaded for d in failures)]
    return Report(
        "doctor",
        Subject("installation"),
        _verdict(checks, needed, problems),
        _sections(needed, checks, loaded),
        tuple(checks),
        tuple(diagnostics),
        {**environment(), **{r.package: r.installed for r in needed if r.installed}},
    )


def self_test(timeout_s: float = _TIMEOUT_S) -> tuple[Check, tuple[Diagnostic, ...]]:
    """Runs the small conversion in a child process: a runtime that crashes must not hide the rest.

    Args:
        timeout_s: Longest time for it, in seconds.

    Returns:
        The check, and the diagnostics of a conversion that was refused.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-m", "edgekit.cli.selftest"],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _failed(f"no answer after {timeout_s:.0f} s"), ()
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["no message"])[-1]
        return _failed(f"the process ended with {child.returncode}: {last}"), ()
    answer: dict[str, Any] = json.loads(child.stdout.strip().splitlines()[-1])
    if "diagnostics" in answer:
        found = tuple(diagnostic_from_dict(d) for d in answer["diagnostics"])
        return _failed(found[0].message), found
    if answer["verdict"] != "verified":
        return _failed(answer["reason"] or answer["verdict"]), ()
    return Check(_SELF_TEST, CheckStatus.PASS, f"verified on {answer['runner']}", "executed"), ()


def _failed(message: str) -> Check:
    return Check(_SELF_TEST, CheckStatus.FAIL, message, "executed")


def _requirements() -> tuple[tuple[Requirement, ...], tuple[Diagnostic, ...]]:
    try:
        return requirements(), ()
    except metadata.PackageNotFoundError:
        return (), missing_package("edgekit", "all", "looking up what is required").diagnostics


def _base_checks(needed: Sequence[Requirement]) -> list[Check]:
    statuses = {"ok": CheckStatus.PASS}
    return [
        Check(r.package, statuses.get(r.status, CheckStatus.FAIL), f"{r.status}: {r.installed}", "declared")
        for r in needed
        if not r.extra
    ]


def _temp_check() -> Check:
    folder = Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"edgekit")
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        return Check("temporary folder", CheckStatus.FAIL, f"`{folder}`: {reason}", "executed")
    return Check("temporary folder", CheckStatus.PASS, f"`{folder}` can be written", "executed")


def _verdict(
    checks: Sequence[Check], needed: Sequence[Requirement], problems: Sequence[Diagnostic]
) -> Verdict:
    failed = [c.name for c in checks if c.status is not CheckStatus.PASS]
    if failed or problems:
        names = ", ".join(f"`{name}`" for name in failed) or "the installation"
        return Verdict(VerdictStatus.ERROR, f"the main job cannot run: {names}", ExitCode.UNAVAILABLE)
    extras = {r.extra for r in needed if r.extra}
    missing = {r.extra for r in needed if r.extra and r.status != "ok"}
    return Verdict(
        VerdictStatus.OK, f"the main job runs; {len(extras) - len(missing)} of {len(extras)} extras installed"
    )


def _sections(
    needed: Sequence[Requirement],
    checks: Sequence[Check],
    loaded: Sequence[tuple[plugins.Plugin, Sequence[Diagnostic]]],
) -> tuple[Section, ...]:
    return (
        _installation(),
        _checks_table([c for c in checks if c.evidence == "executed"]),
        _base_table([r for r in needed if not r.extra]),
        _extras_table([r for r in needed if r.extra]),
        _plugins_table(loaded),
    )


def _installation() -> Facts:
    variables = sorted(name for name in os.environ if name.startswith("EDGEKIT_"))
    path = find(Path.cwd())
    facts = (
        Fact("python", "python", f"{platform.python_version()} ({sys.executable})"),
        Fact("platform", "platform", platform.platform()),
        Fact("cpus", "CPUs", os.cpu_count(), Kind.COUNT),
        Fact("configuration", "configuration", str(path) if path else "none"),
        Fact("variables", "variables", variables or "none", Kind.NAMES),
    )
    return Facts("installation", "Installation", facts)


def _checks_table(checks: Sequence[Check]) -> Table:
    columns = (
        Column("name", "check"),
        Column("status", "result", Kind.STATUS),
        Column("message", "what was seen"),
    )
    rows: tuple[Row, ...] = tuple(
        {"name": c.name, "status": str(c.status), "message": c.message} for c in checks
    )
    return Table("checks", "Checks", columns, rows)


def _base_table(needed: Sequence[Requirement]) -> Table:
    columns = (
        Column("package", "package", Kind.NAME),
        Column("installed", "installed"),
        Column("required", "required"),
        Column("status", "status", Kind.STATUS),
    )
    return Table("base", "Packages of the base install", columns, tuple(_row(r) for r in needed))


def _extras_table(needed: Sequence[Requirement]) -> Table:
    columns = (
        Column("extra", "extra", Kind.NAME),
        Column("package", "package", Kind.NAME),
        Column("installed", "installed"),
        Column("status", "status", Kind.STATUS),
        Column("install", "install with", Kind.NAME),
    )
    return Table("extras", "Extras", columns, tuple(_row(r) for r in needed))


def _row(requirement: Requirement) -> Row:
    return {
        "extra": requirement.extra,
        "package": requirement.package,
        "installed": requirement.installed,
        "required": f">={requirement.lowest}" if requirement.lowest else "any",
        "status": requirement.status,
        "install": None if requirement.status == "ok" else requirement.install,
    }


def _plugins_table(loaded: Sequence[tuple[plugins.Plugin, Sequence[Diagnostic]]]) -> Table:
    columns = (
        Column("name", "plugin", Kind.NAME),
        Column("distribution", "from"),
        Column("status", "status", Kind.STATUS),
    )
    rows: tuple[Row, ...] = tuple(
        {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "status": "failed" if any(d.severity is Severity.ERROR for d in failures) else "loaded",
        }
        for plugin, failures in loaded
    )
    return Table("plugins", "Plugins", columns, rows)
