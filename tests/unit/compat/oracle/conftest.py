"""An oracle that answers from a function, for what is built on top of oracles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgekit.compat.oracle import ACCELERATOR, CPU, Layer, Opinion, Placement
from edgekit.lowering.ledger import Emitted
from edgekit.lowering.tflite.reader import read_tflite


@dataclass
class Fake:
    """Says of each op what a function says; stands in for Vela.

    Attributes:
        refuses: Returns why an op is not taken, empty if it is.
        files: What it was asked about.
    """

    refuses: Callable[[Emitted], str]
    files: list[bytes] = field(default_factory=list)
    name: str = "vela"

    def opinion(self, file: Path, configuration: str) -> Opinion:
        self.files.append(file.read_bytes())
        main = read_tflite(file).main
        placements = []
        for op in main.ops:
            why = self.refuses(op)
            placements.append(Placement(main.names[op.outputs[0]], op.op, CPU if why else ACCELERATOR, why))
        layers = (Layer("y0", "Conv2D", "Conv2D", ACCELERATOR, 10, 20, {"sram": 3}),)
        figures = {"cycles_total": 100.0, "core_clock": 1e6}
        return Opinion("vela", "9.9", configuration, tuple(placements), layers, figures, b"compiled")


@pytest.fixture
def fake() -> type[Fake]:
    """Makes an oracle of a function that says why an op is not taken."""
    return Fake
