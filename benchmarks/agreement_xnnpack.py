"""Agreement of the descriptor `android-cpu` with XNNPACK: which models of one op LiteRT's delegate takes.

    python benchmarks/agreement_xnnpack.py --first-seed 900 --page docs/agreement-xnnpack.md

Models are loaded in child processes; one that ends its process counts as refused.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from edgekit.compat import Placement, judge, target
from edgekit.compat.oneop import OneOp, op_names
from edgekit.compat.oneop.campaign import drawn, turned_once
from edgekit.compat.oneop.draw import Draw
from edgekit.compat.oneop.model import Meaningless
from edgekit.compat.oneop.table import one_op

TARGET = target("android-cpu")
BATCH = 60
CHILD = """
import sys
from ai_edge_litert.interpreter import Interpreter
for path in sys.argv[1:]:
    try:
        interpreter = Interpreter(model_path=path, num_threads=1)
        interpreter.allocate_tensors()
        names = [op["op_name"] for op in interpreter._get_ops_details()]
        print("taken" if "DELEGATE" in names else "left", flush=True)
    except (RuntimeError, ValueError):
        print("refused", flush=True)
"""
PAGE = """# Agreement with XNNPACK

Which models of one op the XNNPACK delegate of LiteRT {version} takes (x86-64), against what `edgekit check
-t android-cpu` says of them. Rows are the delegate's choices, columns ours. Models are drawn by
`edgekit/compat/oneop` with seeds from {seed}, in integers and in float32; the table was refined on other
seeds. Models that LiteRT itself refuses or dies of have no placement and are counted apart.

| delegate | ours accelerated | ours fallback | ours unknown |
|---|---:|---:|---:|
{rows}

{agree:.2%} of {total} agree; {wrong:.2%} are called accelerated and are not taken. Refused: {refused}.

`python benchmarks/agreement_xnnpack.py --page docs/agreement-xnnpack.md` writes this page.
"""


def models(name: str, seed: int, draws: int) -> Iterator[OneOp]:
    yield from drawn(name, range(seed, seed + draws))
    turned = list(turned_once(name))
    yield from random.Random(seed).sample(turned, min(draws, len(turned)))
    for one in range(seed + draws, seed + 3 * draws):
        try:
            yield one_op(name, Draw(fixed={"dtype": "float32"}, seed=one))
        except (Meaningless, KeyError, ValueError):
            continue  # the op has no such knob, or the draw contradicts itself


def asked(files: list[Path]) -> Iterator[str]:
    """Yields what the delegate did with each file."""
    while files:
        arguments = [sys.executable, "-c", CHILD, *map(str, files[:BATCH])]
        found = subprocess.run(arguments, capture_output=True, text=True, check=False).stdout.split()
        yield from found
        if len(found) < len(files[:BATCH]):  # the next one ended the process
            found.append("refused")
            yield "refused"
        files = files[len(found) :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-seed", type=int, default=900)
    parser.add_argument("--draws", type=int, default=14)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    known = [name for name in op_names() if name in TARGET.ops]
    files: list[Path] = []
    ours: list[tuple[str, OneOp, Placement]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in known:
            for i, model in enumerate(models(name, options.first_seed, options.draws)):
                files.append(Path(folder) / f"{name}-{i}.tflite")
                files[-1].write_bytes(model.to_bytes())
                ours.append((name, model, judge(model.lowered(), TARGET).ops[0].placement))
        theirs = list(asked(files))
    counts = Counter((t, p) for t, (_, _, p) in zip(theirs, ours, strict=True))
    for t, (name, model, p) in zip(theirs, ours, strict=True):
        if t != "refused" and (t == "taken") is not (p is Placement.ACCELERATED):
            print(f"{name}: {t}, ours {p}: {model.knobs}")
    text = page(counts, options.first_seed)
    print(text)
    if options.page:
        options.page.write_text(text, encoding="utf-8")


def page(counts: Counter[tuple[str, Placement]], seed: int) -> str:
    columns = (Placement.ACCELERATED, Placement.FALLBACK, Placement.UNKNOWN)
    rows = "\n".join(
        f"| {t} | " + " | ".join(str(counts[t, p]) for p in columns) + " |" for t in ("taken", "left")
    )
    total = sum(n for (t, _), n in counts.items() if t != "refused")
    agree = counts["taken", Placement.ACCELERATED] + counts["left", Placement.FALLBACK]
    refused = sum(n for (t, _), n in counts.items() if t == "refused")
    wrong = counts["left", Placement.ACCELERATED] / total
    version = metadata.version("ai-edge-litert")
    return PAGE.format(
        version=version, seed=seed, rows=rows, agree=agree / total, total=total, wrong=wrong, refused=refused
    )


if __name__ == "__main__":
    main()
