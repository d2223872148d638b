"""Writes traces from Python, in the form of the C writer."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import Quant
from edgekit.trace.codec import encode
from edgekit.trace.dtypes import to_bytes
from edgekit.trace.framing import cobs_encode, to_lines
from edgekit.trace.parse import header_item, record_item
from edgekit.trace.record import Header, Level, Record, Stats
from edgekit.trace.sketch import sketch

Framing = Callable[[bytes], bytes]
"""Wraps the bytes of one item for a transport."""

FRAMINGS: dict[str, Framing] = {"plain": bytes, "cobs": cobs_encode, "lines": to_lines}


class TraceWriter:
    """Writes a header, records and the end mark; each item is flushed.

    Args:
        stream: Where to.
        header: What is known of the whole.
        framing: A key of `FRAMINGS`.
    """

    def __init__(self, stream: BinaryIO, header: Header, *, framing: str = "plain") -> None:
        self._stream = stream
        self._frame = FRAMINGS[framing]
        self._count = 0
        self._put(encode(header_item(header), first=True))

    def add(
        self,
        name: str,
        values: NDArray[Any],
        *,
        stage: str = "",
        sample: int = 0,
        level: Level = Level.FULL,
        stride: int = 1,
        layout: str = "",
        quant: Quant | None = None,
        time: tuple[int, int] | None = None,
    ) -> None:
        """Records a tensor.

        Args:
            name: Its name.
            values: Its elements, as the device stores them.
            stage: The stage of the pipeline.
            sample: The number of the input that it belongs to.
            level: How much of it is recorded.
            stride: Every which element is recorded (`sample`).
            layout: Order of the axes.
            quant: Quantisation of integers that stand for reals.
            time: Begin and end, in ticks of the header's clock.

        Raises:
            ValueError: If a trace cannot hold the dtype.
        """
        record = Record(
            self._count, sample, stage, name, values.dtype.name, values.shape, level,
            layout=layout, quant=quant, time=time, **_HELD[level](values, stride),
        )  # fmt: skip
        self._put(encode(record_item(record)))
        self._count += 1

    def end(self) -> None:
        """Marks the end."""
        self._put(encode({"end": self._count}))

    def _put(self, item: bytes) -> None:
        self._stream.write(self._frame(item))
        self._stream.flush()


def _sketch(values: NDArray[Any], stride: int) -> dict[str, Any]:
    sums, nonfinite = sketch(values)
    return {"sketch": sums, "nonfinite": nonfinite}


def _stats(values: NDArray[Any], stride: int) -> dict[str, Any]:
    flat = values.reshape(-1).astype(np.float64)
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return {"stats": Stats(0.0, 0.0, 0.0, 0.0), "nonfinite": flat.size}
    rms = float(np.sqrt(np.mean(np.square(finite))))
    summary = Stats(float(finite.min()), float(finite.max()), float(finite.mean()), rms)
    return {"stats": summary, "nonfinite": flat.size - finite.size}


_HELD: dict[Level, Callable[[NDArray[Any], int], dict[str, Any]]] = {
    Level.FULL: lambda values, stride: {"values": values},
    Level.SAMPLE: lambda values, stride: {"values": values.reshape(-1)[::stride], "stride": stride},
    Level.SKETCH: _sketch,
    Level.STATS: _stats,
    Level.HASH: lambda values, stride: {"hash": crc32_of(values)},
}


def crc32_of(values: NDArray[Any]) -> int:
    """Returns the CRC-32 of a tensor's little-endian bytes."""
    return zlib.crc32(to_bytes(values)[1])
