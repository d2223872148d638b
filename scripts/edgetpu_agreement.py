"""Prints how predicted placements agree with those in models compiled for the Edge TPU.

    python scripts/edgetpu_agreement.py ../shared/corpus/coral_edgetpu

The folder holds pairs `x.tflite` and `x_edgetpu.tflite`.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from edgekit.compat import Placement
from edgekit.compat.twins import Compared, compared

PREDICTED = (Placement.ACCELERATED, Placement.FALLBACK, Placement.UNKNOWN)


def main(folder: Path) -> None:
    total: list[Compared] = []
    for twin in sorted(folder.glob("*_edgetpu.tflite")):
        model = twin.with_name(twin.name.replace("_edgetpu", ""))
        rows = compared(model, twin)
        total += rows
        print(f"{model.name}: {sum(r.agrees for r in rows)} of {len(rows)}")
        for row in rows:
            if not row.agrees:
                print(f"  {row.op.index} {row.op.emitted.op}: {row.op.placement}, on CPU: {row.on_cpu}")
    print("\n| compiled to | predicted accelerated | predicted CPU | unknown |\n|---|---:|---:|---:|")
    counts = Counter((row.on_cpu, row.op.placement) for row in total)
    for on_cpu, name in ((False, "Edge TPU"), (True, "CPU")):
        print(f"| {name} | " + " | ".join(str(counts[on_cpu, p]) for p in PREDICTED) + " |")
    print(f"\n{sum(r.agrees for r in total) / len(total):.1%} of {len(total)} ops")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
