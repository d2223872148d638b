"""Agreement of the Qualcomm HTP descriptors with the compiler in onnxruntime-qnn, on models of one op."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import onnx
from onnx_one_op import Case, cases, model, of_op
from tally import Tally, line

from edgekit.compat import target
from edgekit.compat.agreement import beside
from edgekit.compat.candidate import Candidate
from edgekit.compat.oracle import Oracle, oracle_for
from edgekit.compat.oracle.qnn import STAGES
from edgekit.diagnostics import EdgekitError
from edgekit.importers import load
from edgekit.target import Target

TARGETS = ("qualcomm-htp-v68", "qualcomm-htp-v75")
PAGE = """# Agreement with Qualcomm's HTP compiler

What `edgekit check` says of Qualcomm HTP against onnxruntime-qnn {version} with the emulator for x86, on
quantised ONNX models of one op (`benchmarks/onnx_one_op.py`). Stages of the provider are counted apart:
*claimed* (it has a builder for the op), *validated* (the compiler accepts the op's form), *compiled* (the
graph was finalised). An op counts as on the accelerator only after all three. The compiler is a black box,
and an emulated chip is not a device. Rows of the table marked *observed* (ReduceProd, Softplus, Selu, Gelu,
CumSum, InstanceNormalization, positions in int64) were corrected after such a run (91 % and 90 % before), so
the figures show what the table says now, and less of what it would say of other ops.

`EDGEKIT_QNN_PYTHON=/path/to/python python benchmarks/agreement_qnn.py --page docs/agreement-qnn.md` writes
this page.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="*", default=TARGETS)
    parser.add_argument("--real", action="store_true", help="the same models in float32")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", type=Path, help="write the figures as a page, docs/agreement-qnn.md")
    args = parser.parse_args()
    oracle, texts, versions = oracle_for("qnn", timeout_s=180.0), [], set()
    with ThreadPoolExecutor(args.jobs) as pool:
        for id_ in args.targets:
            chip, tally, stages = (
                target(id_),
                Tally("QNN", "float32" if args.real else "quantised"),
                Counter(),
            )
            models = (replace(case, dtype="float32") if args.real else case for case in cases())
            found = pool.map(lambda c, t=tally, k=chip, s=stages: _ask(oracle, k, c, t, s), models)
            versions |= {version for version in found if version}
            text = tally.table(id_) + "\n" + _stages(stages, tally.files)
            print(text, flush=True)
            texts.append(text)
    if args.page:
        head = PAGE.format(version=", ".join(sorted(versions)))
        args.page.write_text(head + "\n" + "\n".join(texts))
    return 0


def _ask(oracle: Oracle, chip: Target, case: Case, tally: Tally, stages: Counter[str]) -> str | None:
    tally.files += 1
    made = model(case)
    at = made.graph.node[of_op(case, made.graph.node)].output[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        onnx.save(made, path)
        lowered = Candidate.of_model(load(path)).view("onnx").lowered
        try:
            opinion = oracle.opinion(path, chip.id)
        except EdgekitError as failure:
            tally.confusion.refused[failure.diagnostics[0].code, "-"] += 1
            return None
    ops = [op for op in beside(lowered, chip, opinion.placements) if op.told.name == at]
    tally.confusion.add(ops)
    for op in ops:
        stages.update(stage for stage, reached in op.told.stages.items() if reached)
    tally.differing += [line(str(case), op) for op in ops if not op.agrees]
    return opinion.version


def _stages(stages: Counter[str], files: int) -> str:
    rows = "\n".join(f"| {stage} | {stages[stage]} of {files} |" for stage in STAGES)
    return f"| stage | models |\n|---|---|\n{rows}\n"


if __name__ == "__main__":
    raise SystemExit(main())
