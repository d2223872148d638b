"""Agreement of a target's table with an oracle: op by op, and counted."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.compat.finding import JudgedOp, Placement
from edgekit.compat.judge import judge
from edgekit.compat.oracle.base import ACCELERATOR, CPU, NOWHERE, Opinion, Oracle
from edgekit.compat.oracle.base import Placement as Told
from edgekit.compat.oracle.table import oracle_of
from edgekit.diagnostics import error
from edgekit.lowering.ledger import Lowered, Subgraph
from edgekit.lowering.tflite.emit import Signature, emit
from edgekit.target import Target

UNIT = {
    Placement.ACCELERATED: ACCELERATOR,
    Placement.FALLBACK: CPU,
    Placement.UNSUPPORTED: NOWHERE,
    Placement.UNKNOWN: "unknown",
}
"""What the table's placements are in the words of oracles."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One op, as the table and the vendor's tool place it.

    Attributes:
        told: What the tool says.
        judged: What the table says.
    """

    told: Told
    judged: JudgedOp

    @property
    def unit(self) -> str:
        """The unit that the table names."""
        return UNIT[self.judged.placement]

    @property
    def agrees(self) -> bool:
        """Whether both name the same unit."""
        return self.told.unit == self.unit

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form, for reports."""
        return {
            "op": self.told.op,
            "tensor": self.told.name,
            "oracle": self.told.unit,
            "table": self.unit,
            "agrees": self.agrees,
            "oracle_reason": self.told.reason,
            "table_reasons": [f"{r.message} ({r.got})" for r in self.judged.verdict.reasons],
            "stages": dict(self.told.stages),
        }


@dataclass(frozen=True, slots=True)
class Agreement:
    """What came of asking an oracle about a file.

    Attributes:
        target: Id of the target.
        opinion: All that the tool said.
        ops: One for each op of the file's main graph.
    """

    target: str
    opinion: Opinion
    ops: tuple[Compared, ...]

    @property
    def differing(self) -> tuple[Compared, ...]:
        """The ops that table and tool place differently."""
        return tuple(op for op in self.ops if not op.agrees)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form, for reports."""
        return {
            "oracle": self.opinion.oracle,
            "version": self.opinion.version,
            "configuration": self.opinion.configuration,
            "target": self.target,
            "agree": len(self.ops) - len(self.differing),
            "disagree": len(self.differing),
            "ops": [op.to_dict() for op in self.ops],
        }


def compare(lowered: Lowered, target: Target, oracle: Oracle, file: Path | None = None) -> Agreement:
    """Asks an oracle about the ops of a model and holds a target's table against the answer.

    Args:
        lowered: The ops, as read from a file or as lowered; nothing in them is refused.
        target: A target whose toolchain the oracle is.
        oracle: The vendor's tool.
        file: The file that the ops were read from; TFLite ops are written anew without one.

    Returns:
        Table and tool side by side, op by op.

    Raises:
        EdgekitError: What the oracle raises; EK205 if it is not the target's toolchain, or takes another
            kind of file.
    """
    if oracle_of(target.toolchain.name) != oracle.name:
        raise error(
            "EK205",
            f"`{oracle.name}` does not compile for `{target.id}`",
            notes=[f"its toolchain is {target.toolchain.name} {target.toolchain.version}"],
        )
    if lowered.backend != "tflite" and file is None:
        raise error("EK205", f"`{oracle.name}` is asked about files: give the model as an .onnx file")
    with tempfile.TemporaryDirectory(prefix="edgekit-oracle-") as folder:
        path = Path(folder, "model.tflite")
        if lowered.backend == "tflite":
            path.write_bytes(_file(lowered.main))
        opinion = oracle.opinion(path if file is None else file, target.id)
    return Agreement(target.id, opinion, beside(lowered, target, opinion.placements))


def _file(main: Subgraph) -> bytes:
    """Writes ops as a `.tflite` file; ports are called by their position."""
    ins = tuple(f"input_{i}" for i in range(len(main.inputs)))
    outs = tuple(f"output_{i}" for i in range(len(main.outputs)))
    return emit(main, Signature(ins, outs))[1]


def beside(lowered: Lowered, target: Target, told: Sequence[Told]) -> tuple[Compared, ...]:
    """Puts the table's verdicts on the ops of a main graph beside those of a tool.

    Ops of a TFLite file are told by their position. Of an ONNX file several nodes may be one op, which is
    told by the tensor that it writes; what the tool says of the other nodes is not compared.
    """
    main = set(map(id, lowered.main.ops))
    judged = [op for op in judge(lowered, target).ops if id(op.emitted) in main]
    if lowered.backend == "tflite":
        return tuple(Compared(*pair) for pair in zip(told, judged, strict=True))
    by_name, names = {one.name: one for one in told}, lowered.main.names
    written = [(names.get(op.emitted.outputs[0], ""), op) for op in judged if op.emitted.outputs]
    return tuple(Compared(by_name[name], op) for name, op in written if name in by_name)


@dataclass(slots=True)
class Confusion:
    """Counts of what tool and table say, over many files.

    Attributes:
        counts: By the tool's and the table's unit.
        refused: Files that the tool gave no placement for, by the diagnostic's code and the table's unit.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, ops: Iterable[Compared]) -> None:
        """Counts the ops of a file."""
        self.counts.update((op.told.unit, op.unit) for op in ops)

    @property
    def total(self) -> int:
        """How many ops were compared."""
        return self.counts.total()

    @property
    def agreement(self) -> float:
        """Share of the ops that both place on the same unit; 1 where nothing was compared."""
        same = sum(count for (told, ours), count in self.counts.items() if told == ours)
        return same / self.total if self.total else 1.0

    @property
    def overclaimed(self) -> float:
        """Share of the ops that the table puts on the accelerator and the tool does not."""
        over = sum(n for (told, ours), n in self.counts.items() if ours == ACCELERATOR != told)
        return over / self.total if self.total else 0.0
