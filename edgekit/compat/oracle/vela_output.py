"""Reads what Vela prints and writes: the table of layers, the summary, and its reasons."""

from __future__ import annotations

import csv
import io
import re

from edgekit.compat.oracle.base import ACCELERATOR, CPU, Layer

_UNITS = {"NPU": ACCELERATOR, "CPU": CPU}
_MEMORIES = {
    "SRAM AC": "sram",
    "DRAM AC": "dram",
    "OnFlash AC": "on-chip flash",
    "OffFlash AC": "off-chip flash",
}
_NEEDED = ("Original Operator", "NNG Operator", "Target", "Op Cycles", "MAC Count", "Name", *_MEMORIES)
_TABLES = {"source": ("id", "operator"), "optimised": ("source_id", "operator")}
_PASSED = "Passthrough"
"""What the compiler calls an op that it writes as it was."""
_WARNING = re.compile(r"^Warning \(supported operators\) operator: (?P<op>\S+), ofm: '(?P<name>.*)'$")
_FAILURE = re.compile(
    r"^(?:RuntimeError|Error|\w*Error)\b: *(?:Compilation failed: *)?(?:Error: *)?(?P<why>.+)$"
)


def layers(text: str) -> tuple[Layer, ...]:
    """Reads the table of layers (`<model>_per-layer.csv`).

    Args:
        text: The CSV file.

    Returns:
        One entry per step, in the order of the file.

    Raises:
        ValueError: If a column is missing, or a cell is not what its column says.
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the table of layers has no column {', '.join(missing)}")
    return tuple(_layer(row) for row in reader)


def _layer(row: dict[str, str | None]) -> Layer:
    cells = {key: row.get(key) or "" for key in _NEEDED}
    unit = _UNITS.get(cells["Target"])
    if unit is None:
        raise ValueError(f"the table of layers names the unit `{cells['Target']}`")
    return Layer(
        cells["Name"],
        cells["Original Operator"],
        cells["NNG Operator"],
        unit,
        int(cells["Op Cycles"]),
        int(cells["MAC Count"]),
        {memory: int(cells[column]) for column, memory in _MEMORIES.items()},
    )


def figures(text: str) -> dict[str, float]:
    """Reads the summary (`<model>_summary_<system>.csv`).

    Returns:
        Its numbers, by Vela's names of the columns.

    Raises:
        ValueError: If it has not exactly one row.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    if len(rows) != 1:
        raise ValueError(f"the summary has {len(rows)} rows instead of one")
    return {key: number for key, cell in rows[0].items() if (number := _number(cell)) is not None}


def _number(cell: str | None) -> float | None:
    try:
        return float(cell or "")
    except ValueError:
        return None


def reasons(output: str) -> dict[str, str]:
    """Returns why ops stay on the CPU, by the tensor that they write, from what Vela printed."""
    found: dict[str, str] = {}
    name: str | None = None
    for line in output.splitlines():
        match = _WARNING.match(line)
        if match is not None:
            name = match["name"]
        elif not line.strip():
            name = None if name in found else name
        elif name is not None:
            words = line.removeprefix("Reason: ").strip()
            found[name] = f"{found[name]}; {words}" if name in found else words
    return found


def failure(output: str) -> str:
    """Returns why Vela gave up, in its words; empty if it did not say."""
    lines = output.splitlines()
    at = next((i for i in reversed(range(len(lines))) if _FAILURE.match(lines[i])), None)
    if at is None:
        return ""
    first = _FAILURE.match(lines[at])
    assert first is not None
    rest = [
        line.strip(" -") for line in lines[at + 1 : at + 3] if line.startswith("  ") or line.startswith(" -")
    ]
    return "; ".join([first["why"].rstrip("."), *rest])


def database(text: str) -> dict[str, list[dict[str, str]]]:
    """Reads the debug database (`<model>_debug.xml`): tables of CSV.

    Args:
        text: The file.

    Returns:
        The rows of the tables `source` (ops of the file, in order) and `optimised` (what became of them).

    Raises:
        ValueError: If one of the tables is missing or lacks a column.
    """
    tables = {name: _table(text, name) for name in _TABLES}
    for name, columns in _TABLES.items():
        if tables[name] and not set(columns) <= tables[name][0].keys():
            raise ValueError(f"the table `{name}` of the debug database lacks one of {', '.join(columns)}")
    return tables


def _table(text: str, name: str) -> list[dict[str, str]]:
    match = re.search(rf'<table name="{name}">\s*<!\[CDATA\[\n?(.*?)\]\]>', text, re.DOTALL)
    if match is None:
        raise ValueError(f"the debug database has no table `{name}`")
    return [dict(row) for row in csv.DictReader(io.StringIO(match[1].strip() + "\n"))]


def kept_by_cpu(tables: dict[str, list[dict[str, str]]]) -> list[bool | None]:
    """Tells of each op of the file whether it stays on the CPU; `None` if nothing became of it."""
    became: dict[str, set[str]] = {}
    for row in tables["optimised"]:
        became.setdefault(row["source_id"], set()).add(row["operator"])
    return [_PASSED in became[row["id"]] if row["id"] in became else None for row in tables["source"]]
