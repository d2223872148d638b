"""`python -m tests.conformance --backend tflite`: runs the node tests and writes the table."""

from __future__ import annotations

import argparse
import collections
import re
import sys
import time
from pathlib import Path

from tests.conformance import pool, table
from tests.conformance.cases import all_cases

DOCS = Path(__file__).parents[2] / "docs" / "conformance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--backend", default="tflite", choices=("tflite", "onnx", "tvm"))
    parser.add_argument(
        "--only", metavar="REGEX", help="run the cases whose name matches; no table is written"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-v", "--verbose", action="store_true", help="list every case that does not pass")
    args = parser.parse_args()
    cases = [c for c in all_cases() if args.only is None or re.search(args.only, c.name)]
    start, outcomes = time.monotonic(), []
    for outcome in pool.run(cases, args.backend, args.jobs):
        outcomes.append(outcome)
        if outcome.status in ("wrong", "crash") or (args.verbose and outcome.status != "pass"):
            print(f"{outcome.status:8} {outcome.name}: {outcome.code} {outcome.detail}", flush=True)
    seconds = time.monotonic() - start
    outcomes.sort(key=lambda o: o.name)
    count = collections.Counter(o.status for o in outcomes)
    if args.only is None:
        table.write(DOCS, args.backend, outcomes, seconds)
    figures = "  ".join(f"{status} {count[status]}" for status in table.STATUSES)
    print(f"{args.backend}: {len(outcomes)} cases  {figures}  time {seconds:.0f} s")
    return 1 if count["wrong"] or count["crash"] else 0


if __name__ == "__main__":
    sys.exit(main())
