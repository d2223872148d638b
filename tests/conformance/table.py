"""The published table: `docs/conformance.md`, one section per backend."""

from __future__ import annotations

import collections
import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.judge import Outcome

STATUSES = ("pass", "refused", "wrong", "crash", "runtime")
HEADER = """# Conformance

ONNX's own backend node tests, all cases with plain tensors in and out. Operands that are parameters
(axes, shapes, weights, scales) are bound as initializers; each case is converted *without*
verification, so that a wrong lowering cannot hide behind a refusal, and its artifact is run on the
test's inputs and compared with ONNX's expected outputs at ONNX's tolerance; where those are themselves
rounding noise, with ONNX's definition evaluated in float64, at the same tolerance.

*Refused* is a diagnostic with a code. *Runtime* means that ONNX Runtime does no better on the source model
itself (it lacks a kernel, or its kernel differs from ONNX's expectation); it applies to the ONNX backend.

`python -m tests.conformance --backend NAME` prints the figures and rewrites the section of a backend.
"""


def write(path: Path, backend: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Replaces the section of one backend."""
    text = path.read_text() if path.exists() else HEADER
    section = render(backend, outcomes, seconds)
    pattern = re.compile(rf"\n## {backend}\n.*?(?=\n## |\Z)", re.S)
    text = pattern.sub(lambda _: section, text) if pattern.search(text) else text.rstrip() + "\n" + section
    path.write_text(text.rstrip() + "\n")


def render(backend: str, outcomes: Sequence[Outcome], seconds: float) -> str:
    """Returns the Markdown section of one backend."""
    count = collections.Counter(o.status for o in outcomes)
    codes = collections.Counter(o.code for o in outcomes if o.status == "refused")
    runtime = {"tflite": "ai-edge-litert", "onnx": "onnxruntime", "tvm": "apache-tvm"}[backend]
    lines = [
        "",
        f"## {backend}",
        "",
        f"onnx {importlib.metadata.version('onnx')}, {runtime} {importlib.metadata.version(runtime)}.",
        "",
        "| cases | " + " | ".join(STATUSES) + " | time |",
        "|---|" + "---|" * (len(STATUSES) + 1),
        f"| {len(outcomes)} | " + " | ".join(str(count[s]) for s in STATUSES) + f" | {seconds:.0f} s |",
        "",
        "Refused, by code: " + ", ".join(f"{c} {n}x" for c, n in sorted(codes.items())) + ".",
        "",
        "| op | " + " | ".join(STATUSES) + " | reasons for what does not pass |",
        "|---|" + "---|" * (len(STATUSES) + 1),
    ]
    by_op: dict[str, list[Outcome]] = collections.defaultdict(list)
    for outcome in outcomes:
        by_op[outcome.op or "?"].append(outcome)
    for op, rows in sorted(by_op.items()):
        tally = collections.Counter(r.status for r in rows)
        reasons = dict.fromkeys(f"{r.code} {r.detail}".strip() for r in rows if r.status != "pass")
        cells = " | ".join(str(tally[s] or "") for s in STATUSES)
        lines.append(f"| {op} | {cells} | {'; '.join(_cell(r) for r in reasons)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
