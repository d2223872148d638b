"""Start-up time of the command line: wall time of whole processes, each several times, interleaved.

    python benchmarks/bench_startup.py [--runs 10] [--limit-ms 200]

Exits with 1 when the median of `edgekit --help` is above the limit.
"""

from __future__ import annotations

import argparse
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


def measure(command: list[str]) -> float:
    """Returns the wall time of one process in milliseconds."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10, help="how often each command runs")
    parser.add_argument("--limit-ms", type=float, default=200.0, help=f"largest median of `{GUARDED}`")
    options = parser.parse_args()
    for command in CASES.values():  # the first run reads the files from the disk
        measure(command)
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(options.runs):
        for name, command in CASES.items():
            times[name].append(measure(command))
    print(f"{'command':28}{'median ms':>10}{'min ms':>9}{'max ms':>9}")
    for name, values in times.items():
        print(f"{name:28}{statistics.median(values):10.0f}{min(values):9.0f}{max(values):9.0f}")
    return int(statistics.median(times[GUARDED]) > options.limit_ms)


if __name__ == "__main__":
    sys.exit(main())
