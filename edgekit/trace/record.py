"""What a trace holds: a header, and one record for each tensor that passed."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgekit.ir import Quant

VERSION = 1
"""The version of the format that is written; readers refuse newer ones."""


class Level(enum.StrEnum):
    """How much of a tensor a record holds."""

    FULL = "full"
    SAMPLE = "sample"
    SKETCH = "sketch"
    STATS = "stats"
    HASH = "hash"


@dataclass(frozen=True, slots=True)
class Stats:
    """A tensor in four numbers, over its finite elements; integers stand for themselves.

    Attributes:
        low: The smallest.
        high: The largest.
        mean: Their mean.
        rms: Their root mean square.
    """

    low: float
    high: float
    mean: float
    rms: float


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One tensor of one sample at one stage.

    Attributes:
        sequence: Its number in the trace; records are counted from 0 without gaps.
        sample: The number of the input that it belongs to.
        stage: The stage of the pipeline; empty if not said.
        name: The tensor's name.
        dtype: A name of `DTYPES`: what the device stored.
        shape: Sizes.
        level: How much of it the record holds.
        values: The elements in their shape (`full`) or every `stride`-th as a vector (`sample`).
        layout: Order of the axes, such as `NHWC`; empty if not said.
        quant: Quantisation of integers that stand for reals.
        time: Begin and end, in ticks of the header's clock.
        stride: See `values`.
        sketch: 256 float32 sums (`sketch`).
        stats: A summary (`stats`).
        hash: CRC-32 of the bytes as the device stored them (`hash`).
        nonfinite: Elements that are NaN or infinite; `None` where they were not counted.
    """

    sequence: int
    sample: int
    stage: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    level: Level
    values: NDArray[Any] | None = None
    layout: str = ""
    quant: Quant | None = None
    time: tuple[int, int] | None = None
    stride: int = 1
    sketch: NDArray[Any] | None = None
    stats: Stats | None = None
    hash: int | None = None
    nonfinite: int | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a trace as a whole.

    Attributes:
        hz: Ticks per second of the clock; 0 where unknown.
        facts: What the device said of itself. Known keys: `device`, `runtime`, `clock`, `model`
            (SHA-256 of the artifact) and `contract` (SHA-256 of the wrapping contract).
        version: The version of the format.
    """

    hz: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a trace that could not be read.

    Attributes:
        offset: Where it begins, in bytes of the sequence.
        size: How many bytes were given up.
        reason: What is wrong, in one sentence.
    """

    offset: int
    size: int
    reason: str
