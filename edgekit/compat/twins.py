"""Compares predicted placements with those that the Edge TPU's compiler left in a compiled model.

The compiler replaces what it maps by one custom op and leaves the other ops of the model as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.compat.finding import JudgedOp, Placement
from edgekit.compat.judge import judge
from edgekit.compat.targets import target
from edgekit.lowering.tflite.reader import read_tflite

MAPPED = "CUSTOM:edgetpu-custom-op"


@dataclass(frozen=True, slots=True)
class Compared:
    """An op with where it is and where it was predicted to be.

    Attributes:
        op: The op of the model that was compiled.
        on_cpu: Whether the compiler left it on the CPU.
    """

    op: JudgedOp
    on_cpu: bool

    @property
    def agrees(self) -> bool:
        """Whether the prediction was right; an unknown placement is not."""
        right = Placement.FALLBACK if self.on_cpu else Placement.ACCELERATED
        return self.op.placement is right

    @property
    def wrongly_supported(self) -> bool:
        """Whether an op on the CPU was promised to the accelerator."""
        return self.on_cpu and self.op.placement is Placement.ACCELERATED


def compared(model: Path, compiled: Path, on: str = "edgetpu") -> tuple[Compared, ...]:
    """Compares a model with its compiled twin, op by op.

    Args:
        model: The quantised `.tflite` file that was compiled.
        compiled: What the compiler wrote; tensors keep their names in it.
        on: The target.

    Returns:
        Every op of the model.

    Raises:
        EdgekitError: As `read_tflite`, and `target`.
    """
    source, result = read_tflite(model).main, read_tflite(compiled).main
    left = {result.names[v] for op in result.ops if op.op != MAPPED for v in op.outputs}
    judged = judge(read_tflite(model), target(on))
    names = [[source.names[v] for v in op.outputs] for op in source.ops]
    return tuple(Compared(op, bool(left.intersection(n))) for op, n in zip(judged.ops, names, strict=True))
