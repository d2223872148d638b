"""What an oracle is: a vendor's tool that says where it places each op of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ACCELERATOR = "npu"
CPU = "cpu"
"""The units that oracles name; an op that nothing takes has the unit `none`."""
NOWHERE = "none"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the vendor's tool puts an op.

    Attributes:
        name: The first tensor that the op writes, as the file calls it.
        op: The op's kind, in the file's dialect.
        unit: `npu`, `cpu`, or `none` where the tool refuses the op and has no other place for it.
        reason: Why it is not on the accelerator, in the tool's words, if the tool says so.
        stages: Where the tool decides in several steps, the answer of each, in their order.
    """

    name: str
    op: str
    unit: str
    reason: str = ""
    stages: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layer:
    """A step of the compiled model, as the tool reports it; a source op may become many.

    Attributes:
        name: The tensor that it writes, named by the tool.
        source: The source op's kind in the tool's words.
        op: The step's own kind.
        unit: `npu` or `cpu`.
        cycles: Estimated cycles.
        macs: Multiply-accumulates.
        memory: Estimated cycles of access, by the name of the memory.
    """

    name: str
    source: str
    op: str
    unit: str
    cycles: int
    macs: int
    memory: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        fields = ("name", "source", "op", "unit", "cycles", "macs")
        return {**{key: getattr(self, key) for key in fields}, "memory": dict(self.memory)}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a vendor's tool says of a file.

    Attributes:
        oracle: Name of the oracle.
        version: Version of the tool.
        configuration: The chip's name for the tool.
        placements: One for each op of the file's main graph, in its order.
        layers: The steps of the compiled model, in order.
        figures: Estimates for the whole model, by the tool's names.
        compiled: The compiled file's bytes, if the tool writes one.
    """

    oracle: str
    version: str
    configuration: str
    placements: tuple[Placement, ...]
    layers: tuple[Layer, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    compiled: bytes | None = None


class Oracle(Protocol):
    """A vendor's tool behind one question."""

    name: str

    def opinion(self, file: Path, configuration: str) -> Opinion:
        """Asks the tool where it places the ops of a file.

        Args:
            file: The model in the format that the tool takes.
            configuration: The chip's name for the tool.

        Returns:
            The placements op by op, and what else the tool tells.

        Raises:
            EdgekitError: EK501 if the tool is not installed, EK502 if it dies, EK504 if it does not finish,
                EK521 if it refuses the whole file, EK522 if its answer cannot be understood.
        """
        ...
