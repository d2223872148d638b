"""Start-up time of the command line: whole processes, each several times, interleaved.

Wall time counts; processor time is shown beside it, since it depends less on what else the machine does.

    python benchmarks/bench_startup.py [--runs 10] [--limit-ms 200]

Exits with 1 when the median of `edgekit --help` is above the limit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

EDGEKIT = Path(sys.executable).with_name("edgekit")
CASES: dict[str, list[str]] = {
    "python -c pass": [sys.executable, "-c", "pass"],
    'python -c "import click"': [sys.executable, "-c", "import click"],
    "edgekit --help": [str(EDGEKIT), "--help"],
    "edgekit convert --help": [str(EDGEKIT), "convert", "--help"],
    "edgekit explain EK601": [str(EDGEKIT), "explain", "EK601"],
}
GUARDED = "edgekit --help"


def measure(command: list[str]) -> tuple[float, float]:
    """Returns wall time and processor time of one process in milliseconds."""
    start, before = time.perf_counter(), os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    end, after = time.perf_counter(), os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return 1000 * (end - start), 1000 * used


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10, help="how often each command runs")
    parser.add_argument("--limit-ms", type=float, default=200.0, help=f"largest median of `{GUARDED}`")
    options = parser.parse_args()
    for command in CASES.values():  # the first run reads the files from the disk
        measure(command)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for _ in range(options.runs):
        for name, command in CASES.items():
            times[name].append(measure(command))
    print(f"{'command':28}{'median ms':>10}{'min ms':>9}{'max ms':>9}{'processor ms':>14}")
    for name, values in times.items():
        wall = [w for w, _ in values]
        used = statistics.median(u for _, u in values)
        print(f"{name:28}{statistics.median(wall):10.0f}{min(wall):9.0f}{max(wall):9.0f}{used:14.0f}")
    return int(statistics.median(w for w, _ in times[GUARDED]) > options.limit_ms)


if __name__ == "__main__":
    sys.exit(main())
