"""Agreement of the Ethos-U descriptors with Vela, on models of one op and on the int8 models of a corpus."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tally import Tally, line

from edgekit.compat import judge, target
from edgekit.compat.agreement import UNIT, beside
from edgekit.compat.oneop import OneOp, op_names
from edgekit.compat.oneop.campaign import drawn, turned_once
from edgekit.compat.oracle import Oracle, oracle_for
from edgekit.diagnostics import EdgekitError
from edgekit.lowering.ledger import Lowered
from edgekit.lowering.tflite.reader import read_tflite
from edgekit.target import Target

TARGETS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
PAGE = """# Agreement with Vela

What `edgekit check` says of Ethos-U against what Arm's compiler does ({version}), op by op. Rows are the
compiler's placements, columns ours. Models are made by `edgekit/compat/oneop`: *drawn* ones turn about a
third of their knobs at random (kernels, strides, dilations, padding, groups, ranks, dtypes, quantisation,
constants, sizes around limits); *turned* ones turn one knob of a model that the compiler takes, to each value
and around each limit. Seeds {seeds} were first used for this page; the rules were refined on others.

A file for which the compiler ends with an error or a signal has no placement; such files are counted apart
(*refused*), with what the table says of their op.

`EDGEKIT_VELA=/path/to/vela python benchmarks/agreement_vela.py --page docs/agreement-vela.md` writes this
page.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="*", default=TARGETS)
    parser.add_argument("--ops", nargs="*", default=op_names(), choices=op_names())
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=6, help="models drawn per op")
    parser.add_argument("--turned", type=float, default=0.08, help="share of the models with one knob turned")
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", type=Path, help="write the figures as a page, docs/agreement-vela.md")
    args = parser.parse_args()
    oracle = oracle_for("vela", timeout_s=120.0)
    sets = {
        f"drawn, seeds from {args.first_seed}": list(_drawn(args.ops, args.first_seed, args.draws)),
        "one knob turned": list(_turned(args.ops, args.turned, args.first_seed)),
    }
    files = sorted(args.corpus.rglob("*.tflite")) if args.corpus.is_dir() else []
    texts, version = [], ""
    with ThreadPoolExecutor(args.jobs) as pool:
        for id_ in args.targets:
            chip = target(id_)
            for title, models in sets.items():
                tally = Tally("Vela", title)
                for _ in pool.map(lambda m, t=tally, c=chip: _ask_model(oracle, c, m, t), models):
                    pass
                print(tally.table(id_), flush=True)
                texts.append(tally.table(id_))
            if files:
                tally = Tally("Vela", "corpus")
                for path in files:
                    version = _ask_file(oracle, chip, path, tally) or version
                print(tally.table(id_), flush=True)
                texts.append(tally.table(id_))
    if args.page:
        head = PAGE.format(version=f"Vela {version or '5.x'}", seeds=f"from {args.first_seed}")
        args.page.write_text(head + "\n" + "\n".join(texts))
    return 0


def _drawn(ops: Sequence[str], first: int, draws: int) -> Iterator[OneOp]:
    for name in ops:
        yield from drawn(name, range(first, first + draws))


def _turned(ops: Sequence[str], share: float, seed: int) -> Iterator[OneOp]:
    chosen = random.Random(seed)
    for name in ops:
        yield from (model for model in turned_once(name) if chosen.random() < share)


def _ask_model(oracle: Oracle, chip: Target, model: OneOp, tally: Tally) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(model.to_bytes())
        _ask(oracle, chip, path, model.lowered(), tally, str(model))


def _ask_file(oracle: Oracle, chip: Target, path: Path, tally: Tally) -> str | None:
    return _ask(oracle, chip, path, read_tflite(path), tally, path.name)


def _ask(oracle: Oracle, chip: Target, path: Path, lowered: Lowered, tally: Tally, name: str) -> str | None:
    """Counts one file; returns the tool's version if it answered."""
    tally.files += 1
    try:
        opinion = oracle.opinion(path, chip.id)
    except EdgekitError as failure:
        placement = UNIT[judge(lowered, chip).ops[0].placement]
        tally.confusion.refused[failure.diagnostics[0].code, placement] += 1
        return None
    ops = beside(lowered, chip, opinion.placements)
    tally.confusion.add(ops)
    tally.differing += [line(name, op) for op in ops if not op.agrees]
    return opinion.version


if __name__ == "__main__":
    raise SystemExit(main())
