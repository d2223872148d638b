"""Sliding windows: pads and sizes of convolution and pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.op import Op


@dataclass(frozen=True, slots=True)
class Window:
    """One axis of a sliding window.

    Attributes:
        kernel: Taps.
        stride: Step between windows.
        dilation: Distance between taps.
        begin: Padding before.
        end: Padding after, as the source states it.
        size: Length of the axis; `None` where known only at run time.
        ceil: Whether a window may reach beyond the end.
    """

    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    size: int | None
    ceil: bool = False

    @property
    def reach(self) -> int:
        """Length that the taps span."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def count(self) -> int | None:
        """Number of windows; one that would start in the end padding does not count."""
        if self.size is None:
            return None
        room = self.size + self.begin + self.end - self.reach
        steps = -(-room // self.stride) if self.ceil else room // self.stride
        if self.ceil and steps * self.stride >= self.size + self.begin:
            steps -= 1
        return steps + 1

    @property
    def reached_end(self) -> int:
        """Padding after, so that the last window is whole and none follows."""
        if self.size is None or self.count is None:
            return self.end
        return max(self.end, (self.count - 1) * self.stride + self.reach - self.size - self.begin)

    def taps(self, *, pads: bool) -> NDArray[np.int64]:
        """Returns how many taps of each window count: those on elements, and on stated pads if asked."""
        assert self.size is not None
        assert self.count is not None
        places = np.arange(self.count)[:, None] * self.stride + np.arange(self.kernel) * self.dilation
        low, high = (0, self.begin + self.size + self.end) if pads else (self.begin, self.begin + self.size)
        counted: NDArray[np.int64] = ((places >= low) & (places < high)).sum(1)
        return counted


def windows(n: Op, kernel: Sequence[int], sizes: Sequence[int | None]) -> list[Window]:
    """Reads the attributes of a convolution or a pooling."""
    rank = len(kernel)
    strides = n.attr("strides") or (1,) * rank
    dilations = n.attr("dilations") or (1,) * rank
    pads = n.attr("pads") or (0,) * (2 * rank)
    auto = n.attr("auto_pad", "NOTSET")
    ceil = bool(n.attr("ceil_mode", 0))
    made = []
    for i, (k, s, d, size) in enumerate(zip(kernel, strides, dilations, sizes, strict=True)):
        begin, end = int(pads[i]), int(pads[i + rank])
        if auto == "VALID":
            begin = end = 0
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            begin, end = _same(n, auto, int(k), int(s), int(d), size)
        made.append(Window(int(k), int(s), int(d), begin, end, size, ceil and auto == "NOTSET"))
    return made


def _same(n: Op, auto: str, kernel: int, stride: int, dilation: int, size: int | None) -> tuple[int, int]:
    reach = (kernel - 1) * dilation + 1
    if size is None:
        if stride != 1:
            n.refuse(f"`auto_pad` {auto} with a stride on a size known only at run time", code="EK305")
        total = reach - 1
    else:
        total = max((math.ceil(size / stride) - 1) * stride + reach - size, 0)
    small = total // 2
    return (small, total - small) if auto == "SAME_UPPER" else (total - small, small)


def pads_of(slides: Sequence[Window]) -> list[int]:
    """Returns the pads in MIL's order: before and after of each axis."""
    return [p for w in slides for p in (w.begin, w.reached_end)]
