"""Windows that slide over spatial axes: how much is padded, and where they lie."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.runners.mil_reference.refusal import Refusal, claim, require

PAD_TYPES = ("valid", "same", "same_lower", "custom")


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows over `n` spatial axes; each field has one number for each.

    Attributes:
        kernel: Size of a window, in elements.
        strides: From one window to the next.
        dilations: From one element of a window to the next.
        before: Padding in front.
        after: Padding behind.
        counts: How many windows there are.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    counts: tuple[int, ...]

    def taps(self) -> Iterator[tuple[slice, ...]]:
        """Yields for each place in a window the slices of the padded input that lie there."""
        for tap in itertools.product(*map(range, self.kernel)):
            starts = [t * d for t, d in zip(tap, self.dilations, strict=True)]
            yield tuple(
                slice(b, b + (c - 1) * s + 1, s)
                for b, c, s in zip(starts, self.counts, self.strides, strict=True)
            )


def windows(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...] | None,
    pad_type: str,
    pad: tuple[int, ...] | None,
    dilations: tuple[int, ...] | None = None,
    *,
    ceil_mode: bool = False,
) -> Windows:
    """Computes windows from the parameters of an op.

    Args:
        sizes: Spatial sizes of the input.
        kernel: Sizes of a window.
        strides: All 1 if not given.
        pad_type: One of `PAD_TYPES`. `same` gives as many windows as strides fit and puts what is
            padded evenly on both sides, the odd element behind, or in front for `same_lower`.
        pad: For `custom`: before and after, for each axis.
        dilations: All 1 if not given.
        ceil_mode: Whether a last window may reach beyond the padding, as far as it starts within.

    Raises:
        Refusal: If the numbers do not fit.
    """
    n = len(sizes)
    strides, dilations = strides or (1,) * n, dilations or (1,) * n
    require(len(kernel) == len(strides) == len(dilations) == n, f"there are {n} spatial axes")
    require(min(*kernel, *strides, *dilations, 1) >= 1, "kernel, strides and dilations must be positive")
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    before, after = _padding(sizes, reach, strides, pad_type, pad)
    if ceil_mode:
        require(pad_type in ("valid", "custom"), f"`ceil_mode` does not go with `{pad_type}`")
        require(before == after, "`ceil_mode` asks for the same padding on both sides")
    claim([s + b + a for s, b, a in zip(sizes, before, after, strict=True)])
    counts = []
    for i in range(n):
        room = sizes[i] + before[i] + after[i] - reach[i]
        require(room >= 0, f"a window of {reach[i]} does not fit on {sizes[i] + before[i] + after[i]}")
        count = (-(-room // strides[i]) if ceil_mode else room // strides[i]) + 1
        if ceil_mode and before[i] + after[i] > 0 and (count - 1) * strides[i] >= sizes[i] + before[i]:
            count -= 1
        counts.append(count)
    return Windows(kernel, strides, dilations, before, after, tuple(counts))


def _padding(
    sizes: tuple[int, ...],
    reach: tuple[int, ...],
    strides: tuple[int, ...],
    pad_type: str,
    pad: tuple[int, ...] | None,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    n = len(sizes)
    if pad_type == "custom":
        require(pad is not None and len(pad) == 2 * n and min(pad, default=0) >= 0, f"`pad` is {pad}")
        return tuple(pad[0::2]), tuple(pad[1::2])  # type: ignore[index]
    require(not any(pad or ()), f"`pad` is given, which `pad_type` `{pad_type}` does not take")
    if pad_type == "valid":
        return (0,) * n, (0,) * n
    if pad_type not in PAD_TYPES:
        raise Refusal(f"`pad_type` is `{pad_type}`")
    total = [max((-(-s // st) - 1) * st + r - s, 0) for s, st, r in zip(sizes, strides, reach, strict=True)]
    less, more = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    return (less, more) if pad_type == "same" else (more, less)
