"""`Codes`: which integers stand for the elements of a tensor."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np


@dataclass(frozen=True, slots=True)
class Codes:
    """The integers that a kind of tensor becomes.

    Attributes:
        dtype: Their dtype: `int4`, `int8`, `uint8`, `int16`.
        symmetric: Whether zero has the middle code. Signed codes then leave the lowest out, so that every
            code has its negative.
        per_channel: Whether each output channel of weights has a scale of its own.
        block: How many elements along the summed axis of a matrix share a scale; 0 for all.
    """

    dtype: str = "int8"
    symmetric: bool = False
    per_channel: bool = False
    block: int = 0

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The dtype as numpy (or ml_dtypes) has it."""
        return np.dtype(getattr(ml_dtypes, self.dtype, self.dtype))

    @property
    def middle(self) -> int:
        """The code of zero when zero is in the middle: 0, or 128 of uint8."""
        limits = ml_dtypes.iinfo(self.numpy)
        return (int(limits.min) + int(limits.max) + 1) // 2

    @property
    def lowest(self) -> int:
        """The lowest code that is used."""
        limits = ml_dtypes.iinfo(self.numpy)
        is_narrow = self.symmetric and int(limits.min) < 0
        return int(limits.min) + is_narrow

    @property
    def highest(self) -> int:
        """The highest code that is used."""
        return int(ml_dtypes.iinfo(self.numpy).max)


INT8 = Codes("int8")
"""Activations of `int8`: asymmetric, one scale per tensor."""
