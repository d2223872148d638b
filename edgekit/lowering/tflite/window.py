"""Sliding windows along spatial axes: ONNX's pads and rounding against TensorFlow's SAME and VALID."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Shape
from edgekit.lowering.op import Op, Unlowerable


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides along one axis.

    Attributes:
        kernel: Taps.
        stride: Elements between two windows.
        dilation: Elements between two taps.
        before: Padding in front of the axis.
        after: Padding behind it, at least what the last window reaches.
        size: Length of the axis; `None` where known only at run time.
        same: `auto_pad` is SAME_UPPER with a stride, on a length known only at run time: the pads
            are TensorFlow's SAME, whatever they turn out to be.
        ceil: The number of windows is rounded up.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    size: int | None = None
    same: bool = False
    ceil: bool = False

    @property
    def extent(self) -> int:
        """Elements from the first to the last tap, both included."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def count(self) -> int | None:
        """The number of windows.

        Source: ONNX operator schemas of Conv and MaxPool; a last window that would start in the
        padding behind the axis is dropped.
        """
        if self.size is None:
            return None
        if self.same:
            return -(-self.size // self.stride)
        room = self.size + self.before + self.after - self.extent
        if not self.ceil:
            return room // self.stride + 1
        count = -(-room // self.stride) + 1
        return count - 1 if (count - 1) * self.stride >= self.size + self.before else count

    @property
    def reach(self) -> int:
        """Elements that the last window reaches beyond the end, or may reach."""
        if self.size is None or self.count is None:
            return self.after + (self.stride - 1 if self.ceil else 0)
        return max(0, (self.count - 1) * self.stride + self.extent - self.before - self.size)

    @property
    def is_padded(self) -> bool:
        """Tells whether a window may reach beyond the axis."""
        return self.same or self.before > 0 or self.reach > 0

    @property
    def pads(self) -> tuple[int, int]:
        """Elements that windows reach beyond the front and the end.

        Raises:
            Unlowerable: If they follow from a size known only at run time.
        """
        if self.same:
            raise Unlowerable("`auto_pad` with a stride on a size known only at run time", code="EK305")
        return self.before, self.reach

    def counts(self, *, pads: bool) -> NDArray[np.int64]:
        """Returns how many taps of each window lie on the axis, or on it and its pads.

        Args:
            pads: Count the taps on `before` and `after` too; those beyond never count.
        """
        assert self.size is not None
        assert self.count is not None
        starts = np.arange(self.count)[:, None] * self.stride - self.before
        places = starts + np.arange(self.kernel) * self.dilation
        low, high = (-self.before, self.size + self.after) if pads else (0, self.size)
        counts: NDArray[np.int64] = ((places >= low) & (places < high)).sum(1)
        return counts

    @property
    def is_same(self) -> bool:
        """Tells whether TensorFlow's SAME gives the same windows."""
        if self.same:
            return True
        if self.size is None:
            total = self.extent - 1
            pads = (total // 2, total - total // 2)
            return self.stride == 1 and (self.before, self.after) == pads
        count = -(-self.size // self.stride)
        total = max(0, (count - 1) * self.stride + self.extent - self.size)
        return self.count == count and self.before == total // 2


def windows(n: Op, kernel: Sequence[int], sizes: Shape) -> tuple[Window, ...]:
    """Reads strides, dilations, pads, auto_pad and ceil_mode of a convolution or pooling node.

    Args:
        n: The node.
        kernel: Taps along each spatial axis.
        sizes: Lengths of the spatial axes.

    Returns:
        One window per axis.

    Raises:
        Unlowerable: For pads that only the size at run time would tell, negative pads, no windows.
    """
    rank = len(kernel)
    strides = n.attr("strides") or (1,) * rank
    dilations = n.attr("dilations") or (1,) * rank
    pads = n.attr("pads") or (0,) * (2 * rank)
    auto = n.attr("auto_pad") or "NOTSET"
    if auto == "VALID":
        pads = (0,) * (2 * rank)
    if min(pads) < 0:
        n.refuse(f"negative `pads` {list(pads)}")
    result = []
    for i, (taps, size) in enumerate(zip(kernel, sizes, strict=True)):
        window = Window(taps, strides[i], dilations[i], pads[i], pads[i + rank], size)
        window = _auto(n, window, auto) if auto[:4] == "SAME" else window
        result.append(_ceil(n, window) if n.attr("ceil_mode", 0) and auto[:4] != "SAME" else window)
    if any(w.count is not None and w.count < 1 for w in result):
        n.refuse(f"the window {list(kernel)} is larger than the padded input {list(sizes)}")
    return tuple(result)


def _auto(n: Op, w: Window, auto: str) -> Window:
    if w.size is None and w.stride > 1:
        if auto == "SAME_UPPER":
            return replace(w, same=True)
        n.refuse("`auto_pad` SAME_LOWER with a stride on a size known only at run time", code="EK305")
    total = w.extent - 1
    if w.size is not None:
        total = max(0, (-(-w.size // w.stride) - 1) * w.stride + w.extent - w.size)
    small = total // 2
    before, after = (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
    return replace(w, before=before, after=after)


def _ceil(n: Op, w: Window) -> Window:
    if w.stride == 1:
        return w
    if w.size is None and w.extent < w.after + w.stride:
        n.refuse("`ceil_mode` with windows that may lie beyond a size known only at run time", code="EK305")
    return replace(w, ceil=True)
