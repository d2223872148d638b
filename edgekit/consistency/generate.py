"""Generates inputs for a model: seeded, within the ranges its ops can take, sizes bound consistently."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgekit.artifact import Sizes
from edgekit.consistency.limits import Limits
from edgekit.consistency.pictures import drawn
from edgekit.consistency.ranges import Wanted, wanted_of
from edgekit.consistency.samples import Sample
from edgekit.ir import Dim, Model, TensorSpec
from edgekit.runners import Array

Bound = Mapping[str, int]
"""Sizes of symbols; an axis without a name counts as the symbol `input:axis`."""

_IMAGE_SIZES = (64, 128, 224, 32, 320, 16)
_OTHER_SIZES = (8, 16, 32, 64, 128, 512, 1, 1600, 16000)
"""Of texts and features first, then of sound: frames, a tenth of a second, a second at 16 kHz."""
_BATCHES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes samples of a model's inputs.

    Attributes:
        model: The source model.
        seed: Samples depend on it, on the input's name and on the sample's number only.
        integers: The value of all integers, for models in which what they may be could not be
            inferred; `None` keeps them to what their consumers can take.
        limits: What the artifact takes.
    """

    model: Model
    seed: int = 0
    integers: int | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def batch_symbols(self) -> frozenset[str]:
        """The symbols of leading axes."""
        return frozenset(
            _symbol(spec, 0)
            for spec in self.model.inputs
            if spec.shape and len(spec.shape) > 1 and not isinstance(spec.shape[0], int)
        )

    @property
    def inner_symbols(self) -> frozenset[str]:
        """The symbols of all other axes."""
        found = {
            _symbol(spec, axis)
            for spec in self.model.inputs
            for axis, size in enumerate(spec.shape or ())
            if not isinstance(size, int)
        }
        return frozenset(found - self.batch_symbols)

    def inner_sizes(self) -> Iterator[int]:
        """Yields sizes to try for the inner symbols, the likeliest first; one if there are none."""
        if not self.inner_symbols:
            yield 1
            return
        has_images = any(spec.shape is not None and len(spec.shape) >= 4 for spec in self.model.inputs)
        yield from _IMAGE_SIZES if has_images else _OTHER_SIZES

    def sizes(self, number: int, inner: int) -> Bound:
        """Returns the sizes of all symbols for a sample: batches of 1, 2 and 3 take turns.

        Where the artifact takes listed shapes only, these take turns; where it takes ranges, a usual
        size, the lowest, and a high one.
        """
        batch = _BATCHES[number % len(_BATCHES)]
        sizes = dict.fromkeys(self.inner_symbols, inner) | dict.fromkeys(self.batch_symbols, batch)
        for spec in self.model.inputs:
            limit = self.limits.sizes.get(spec.name)
            for axis, size in enumerate(spec.shape or ()):
                if limit is not None and not isinstance(size, int):
                    symbol = _symbol(spec, axis)
                    sizes[symbol] = _limited(limit, axis, number, sizes[symbol])
        return sizes

    def sample(self, number: int, sizes: Bound) -> Sample:
        """Returns one sample.

        Args:
            number: 0, 1, 2, ...; float inputs without a known range alternate between a normal
                distribution and [0, 1].
            sizes: As `sizes` returned.
        """
        values = {v.name: v for v in self.model.ir.graph.inputs}
        return {
            spec.name: self._array(spec, wanted_of(values[spec.name]), number, sizes)
            for spec in self.model.inputs
        }

    def _array(self, spec: TensorSpec, wanted: Wanted | None, number: int, sizes: Bound) -> Array:
        shape = tuple(
            size if isinstance(size, int) else sizes[_symbol(spec, axis)]
            for axis, size in enumerate(spec.shape or ())
        )
        generator = np.random.default_rng([self.seed, zlib.crc32(spec.name.encode()), number])
        if spec.name in self.limits.pictures:
            return drawn(generator, shape, self.limits.pictures[spec.name]).astype(spec.dtype)
        if spec.dtype.kind == "O":
            return _text(generator, shape)
        if spec.dtype.kind == "b":
            always = wanted is not None and wanted.low == wanted.high
            return np.full(shape, wanted.low > 0) if always and wanted else generator.random(shape) < 0.5
        if is_integer(spec.dtype):
            if self.integers is not None:
                return np.full(shape, self.integers, spec.dtype)
            return _integers(generator, shape, spec.dtype, wanted)
        return _floats(generator, shape, spec, wanted, number)


def _limited(limit: Sizes, axis: int, number: int, usual: int) -> int:
    if limit.choices:
        return limit.choices[number % len(limit.choices)][axis]
    span = limit.ranges[axis]
    if span is None:
        return usual
    low, high = span
    middle = min(max(usual, low), high)
    return (middle, low, min(high, 2 * middle))[number % 3]


def is_integer(dtype: np.dtype) -> bool:
    """Tells whether a dtype is an integer, also one of ml_dtypes."""
    return dtype.kind in "iu" or dtype.name.startswith(("int", "uint"))


def _symbol(spec: TensorSpec, axis: int) -> str:
    size: Dim = (spec.shape or ())[axis]
    return size if isinstance(size, str) else f"{spec.name}:{axis}"


def _text(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    words = np.array(["edge", "", "Naïve", "two words", "42"], object)
    chosen = np.empty(shape, object)
    chosen[...] = words[generator.integers(0, len(words), shape)]
    return chosen


def _integers(
    generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype, wanted: Wanted | None
) -> Array:
    narrowest, widest = _limits(dtype)
    if wanted is not None and wanted.fill is not None:
        return np.clip(wanted.fill(generator, shape), narrowest, widest).astype(dtype)
    low, high = max(narrowest, -8), min(widest, 8)
    if widest - narrowest < 256:
        low, high = narrowest, widest
    if wanted is not None:
        low, high = max(low, int(np.ceil(max(wanted.low, narrowest)))), int(min(wanted.high, widest))
    return np.asarray(generator.integers(low, max(high, low) + 1, shape)).astype(dtype)


def _limits(dtype: np.dtype) -> tuple[int, int]:
    import ml_dtypes

    info = np.iinfo(dtype) if dtype.kind in "iu" else ml_dtypes.iinfo(dtype)
    return int(info.min), int(info.max)


def _floats(
    generator: np.random.Generator,
    shape: tuple[int, ...],
    spec: TensorSpec,
    wanted: Wanted | None,
    number: int,
) -> Array:
    if wanted is not None and wanted.fill is not None:
        values = np.asarray(wanted.fill(generator, shape), np.float64)
    elif wanted is not None and np.isfinite([wanted.low, wanted.high]).all():
        values = generator.uniform(wanted.low, wanted.high, shape)
    elif (number % 2 == 0) == _is_image(spec):
        values = generator.uniform(0.0, 1.0, shape)
    else:
        values = generator.standard_normal(shape)
    if spec.dtype.kind == "c":
        values = values + 1j * generator.standard_normal(shape)
    return np.asarray(values).astype(spec.dtype)


def _is_image(spec: TensorSpec) -> bool:
    shape = spec.shape
    return shape is not None and len(shape) == 4 and (shape[1] in (1, 3, 4) or shape[3] in (1, 3, 4))
