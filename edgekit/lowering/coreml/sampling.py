"""Interpolation of images at positions that are computed at run time."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Unlowerable


@dataclass(frozen=True, slots=True)
class Taps:
    """Neighbours of positions along one axis.

    Attributes:
        indices: One index per position for each neighbour, as floats with whole values.
        shares: The weight of each neighbour; `None` is 1.
    """

    indices: tuple[Term, ...]
    shares: tuple[Term | None, ...]


def linear(x: Term) -> Taps:
    """Returns the two neighbours of linear interpolation."""
    low = x.floor()
    share = x - low
    return Taps((low, low + 1), (1 - share, share))


def cubic(x: Term, a: float) -> Taps:
    """Returns the four neighbours of cubic convolution with the coefficient `a`.

    Source: R. G. Keys, Cubic convolution interpolation for digital image processing, 1981.
    """
    low = x.floor()
    t = x - low

    def near(d: Term) -> Term:
        return (d * (a + 2) - (a + 3)) * d * d + 1

    def far(d: Term) -> Term:
        return ((d * a - 5 * a) * d + 8 * a) * d - 4 * a

    shares = (far(t + 1), near(t), near(1 - t), far(2 - t))
    return Taps((low - 1, low, low + 1, low + 2), shares)


def nearest(x: Term) -> Taps:
    """Returns the nearest neighbour; half-way it is the even one."""
    return Taps((x.unary("round"),), (None,))


@dataclass(frozen=True, slots=True)
class Pixels:
    """Images as a table of pixels.

    Attributes:
        term: (batch, pixels, channels), or (pixels, channels) of one image or of all.
        sizes: Length of each axis that indices point into, pixels being in row-major order.
    """

    term: Term
    sizes: tuple[int | None, ...]

    def read(self, indices: Sequence[Term]) -> Term:
        """Reads pixels.

        Args:
            indices: int32 indices on each axis: (batch, ..., 1), or any (..., 1) without a batch.

        Returns:
            The pixels in the shape that the indices broadcast to, with channels last.
        """
        flat = indices[0]
        for index, size in zip(indices[1:], self.sizes[1:], strict=True):
            assert size is not None
            flat = flat * size + index
        batched = len(self.term.shape) == 3
        b, where = flat.b, flat.b.squeeze(flat.value, [len(flat.shape) - 1])
        if not batched:
            return Term(b, b.op("gather", x=self.term.value, indices=where, axis=0))
        return Term(b, b.op("gather", x=self.term.value, indices=where, axis=1, batch_dims=1))


def per_image(b: CoreMlBuilder, x: Value) -> Pixels:
    """Makes a table for each of the images (batch, channels, ...).

    Raises:
        Unlowerable: If a length is known only at run time, or there are more than 2**24 pixels.
    """
    sizes = _known_sizes(x)
    flat = b.reshape(_channels_last(b, x), (x.shape[0], math.prod(sizes), x.shape[1]))
    return Pixels(Term(b, flat), sizes)


def of_all_images(b: CoreMlBuilder, x: Value) -> Pixels:
    """Makes one table of all images (batch, channels, ...); the first index is the image's number.

    Raises:
        Unlowerable: If a length is known only at run time, or there are more than 2**24 pixels.
    """
    sizes = _known_sizes(x)
    count = None if x.shape[0] is None else x.shape[0] * math.prod(sizes)
    return Pixels(Term(b, b.reshape(_channels_last(b, x), (count, x.shape[1]))), (x.shape[0], *sizes))


def _channels_last(b: CoreMlBuilder, x: Value) -> Value:
    return b.transpose(x, [0, *range(2, x.rank), 1])


def channels_first(b: CoreMlBuilder, x: Value) -> Value:
    """Moves the last axis behind the first."""
    return b.transpose(x, [0, x.rank - 1, *range(1, x.rank - 1)])


def clipped(x: Term, low: float, high: float) -> Term:
    """Limits elements to [low, high]."""
    return x.maximum(low).minimum(high)


def _known_sizes(x: Value) -> tuple[int, ...]:
    sizes = tuple(d for d in x.shape[2:] if d is not None)
    if len(sizes) < x.rank - 2:
        raise Unlowerable("an image of a size known only at run time", code="EK305")
    if math.prod(sizes) >= 2**24:
        raise Unlowerable(f"positions on {math.prod(sizes)} pixels; float32 cannot tell them apart")
    return sizes


def weighted(pixels: Pixels, axes: Sequence[Taps], *, zeros: bool) -> list[Term]:
    """Reads every neighbour of each position, weighted along every axis.

    Args:
        pixels: The images.
        axes: The neighbours along each axis: (..., 1).
        zeros: Neighbours beyond an axis count as zero; otherwise all indices are on their axis.

    Returns:
        One (..., channels) for each combination of neighbours.
    """
    prepared = [
        [_prepared(i, s, size if zeros else None) for i, s in zip(t.indices, t.shares, strict=True)]
        for t, size in zip(axes, pixels.sizes, strict=True)
    ]
    parts = []
    for taps in itertools.product(*prepared):
        shares = [share for _, share in taps if share is not None]
        values = pixels.read([index for index, _ in taps])
        parts.append(values * functools.reduce(Term.__mul__, shares) if shares else values)
    return parts


def interpolate(pixels: Pixels, axes: Sequence[Taps], *, zeros: bool) -> Term:
    """Sums what `weighted` returns: (..., channels)."""
    return functools.reduce(Term.__add__, weighted(pixels, axes, zeros=zeros))


def _prepared(index: Term, share: Term | None, size: int | None) -> tuple[Term, Term | None]:
    """Moves an index onto an axis of a given length and takes its weight away where it was beyond."""
    if size is None:
        return index.cast(np.int32), share
    inside = clipped(index, 0, size - 1)
    kept = inside.equals(index).cast(np.float32)
    return inside.cast(np.int32), kept if share is None else share * kept
