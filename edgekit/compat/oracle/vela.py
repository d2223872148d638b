"""Arm's Vela, the compiler for Ethos-U: runs it and asks which ops it leaves to the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgekit.compat.oracle import vela_output
from edgekit.compat.oracle.base import ACCELERATOR, CPU, Layer, Opinion, Placement
from edgekit.compat.oracle.find import Tool, command_for
from edgekit.compat.oracle.naming import with_distinct_names
from edgekit.compat.oracle.process import Finished, last_words, run_tool
from edgekit.diagnostics import EdgekitError, error
from edgekit.lowering.ledger import Lowered
from edgekit.lowering.tflite.reader import read_tflite

TOOL = Tool("Vela", "EDGEKIT_VELA", "vela", "ethosu.vela", 'pip install "edgekit[npu]"')
COMMAND_STREAM = "CUSTOM:ethos-u"
"""What Vela puts in the place of the ops that the NPU runs."""


@dataclass(frozen=True, slots=True)
class Vela:
    """The oracle for Ethos-U.

    Attributes:
        program: Path of the program; else `EDGEKIT_VELA`, the PATH and this Python are searched.
        timeout_s: Longest time for one file, in seconds.
        options: Further command-line options of Vela, such as `--system-config`.
    """

    program: str | None = None
    timeout_s: float = 600.0
    options: tuple[str, ...] = ()
    name: str = "vela"

    def opinion(self, file: Path, configuration: str) -> Opinion:
        """Compiles a `.tflite` file and reads where its ops went; see `Oracle`.

        Args:
            file: The model.
            configuration: What `--accelerator-config` takes, such as `ethos-u55-128`.
        """
        command = command_for(TOOL, self.program)
        source = read_tflite(file)
        with tempfile.TemporaryDirectory(prefix="edgekit-vela-") as made:
            folder = Path(made)
            given = folder / "model.tflite"  # a name that Vela cannot trip over
            payload, written = with_distinct_names(source, file.read_bytes())
            given.write_bytes(payload)
            told = ["--verbose-performance", "--enable-debug-db"]
            chosen = [f"--accelerator-config={configuration}", *told, *self.options]
            run = [*command, given.name, *chosen, "--output-dir=out"]
            finished = run_tool("Vela", run, folder, timeout_s=self.timeout_s)
            answer = _answer(folder / "out", finished)
        version = _version(tuple(command))
        placements = _placements(source, written, answer, vela_output.reasons(finished.output))
        return Opinion(
            self.name, version, configuration, placements, answer.layers, answer.figures, answer.compiled
        )


@cache
def _version(command: tuple[str, ...]) -> str:
    """Asks a program for its version; once, as it takes as long as a small model."""
    with tempfile.TemporaryDirectory(prefix="edgekit-vela-") as made:
        finished = run_tool("Vela", [*command, "--version"], Path(made), timeout_s=60.0)
    words = finished.output.split()
    if finished.status != 0 or not words:
        raise _unclear("it does not tell its version", finished)
    return words[-1]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Vela left in its folder.

    Attributes:
        layers: The table of layers.
        figures: The summary.
        compiled: The compiled file.
        kept: Of each op of the file, whether it stays on the CPU, by the debug database.
    """

    layers: tuple[Layer, ...]
    figures: Mapping[str, float]
    compiled: bytes
    kept: list[bool | None]


def _answer(out: Path, finished: Finished) -> _Answer:
    if finished.status != 0:
        reason = vela_output.failure(finished.output)
        raise error(
            "EK521",
            f"Vela refuses the file: {reason}" if reason else "Vela refuses the file",
            notes=last_words(finished.output),
        )
    names = ("model_vela.tflite", "model_per-layer.csv", "model_debug.xml")
    compiled, layers, database = (out / name for name in names)
    if not all(path.is_file() for path in (compiled, layers, database)):
        raise _unclear("it ended with status 0 and left no compiled file or no tables", finished)
    try:
        figures = [vela_output.figures(path.read_text()) for path in sorted(out.glob("model_summary_*.csv"))]
        tables = vela_output.database(database.read_text(errors="replace"))
        return _Answer(
            vela_output.layers(layers.read_text()),
            figures[0] if figures else {},
            compiled.read_bytes(),
            vela_output.kept_by_cpu(tables),
        )
    except ValueError as failure:
        raise _unclear(str(failure), finished) from failure


def _placements(
    source: Lowered, written: Sequence[str], answer: _Answer, reasons: Mapping[str, str]
) -> tuple[Placement, ...]:
    """Returns the unit of each source op; the compiled file must hold just the ops that the CPU keeps.

    Args:
        source: The file as the caller has it.
        written: The tensor that each op writes, as Vela was told.
        answer: What Vela left.
        reasons: Why ops stay on the CPU, by tensor.
    """
    ops, names = source.main.ops, source.main.names
    if len(answer.kept) < len(ops):
        raise error("EK522", f"Vela's debug database has {len(answer.kept)} of {len(ops)} ops")
    kept = answer.kept[: len(ops)]  # those of nested graphs follow
    _compare([op.op for op, on_cpu in zip(ops, kept, strict=True) if on_cpu], answer.compiled)
    placements = []
    for op, name, on_cpu in zip(ops, written, kept, strict=True):
        # An op of which nothing became was merged into another one, or no result needs it: the CPU is out.
        unit, reason = (CPU, reasons.get(name, "")) if on_cpu else (ACCELERATOR, "")
        placements.append(Placement(names[op.outputs[0]] if op.outputs else "", op.op, unit, reason))
    return tuple(placements)


def _compare(told: list[str], compiled: bytes) -> None:
    """Holds the ops that the database leaves to the CPU against those in the compiled file."""
    try:
        left = [op.op for op in read_tflite(compiled).main.ops if op.op != COMMAND_STREAM]
    except EdgekitError as failure:
        raise error("EK522", f"the file that Vela compiled cannot be read: {failure}") from failure
    if sorted(left) != sorted(told):
        odd = [f"{name}: {told.count(name)} and {left.count(name)}" for name in sorted({*told, *left})]
        raise error(
            "EK522", "Vela's debug database and its compiled file disagree on the ops of the CPU", notes=odd
        )


def _unclear(why: str, finished: Finished) -> EdgekitError:
    return error("EK522", f"Vela's answer cannot be understood: {why}", notes=last_words(finished.output))
