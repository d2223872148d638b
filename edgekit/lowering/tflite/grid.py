"""The grid of a constant that was dequantised: how it follows the axes, and the integers behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import Quant
from edgekit.lowering.ledger import Value


def transposed(quant: Quant | None, perm: Sequence[int]) -> Quant | None:
    """Returns the quantisation after its tensor's axes were permuted."""
    if quant is None or quant.axis is None:
        return quant
    return replace(quant, axis=list(perm).index(quant.axis))


def reshaped(quant: Quant | None, before: Sequence[int], after: Sequence[int]) -> Quant | None:
    """Returns the quantisation after a reshape; `None` where its axis does not survive."""
    if quant is None or quant.axis is None:
        return quant
    ahead, size = math.prod(before[: quant.axis]), before[quant.axis]
    for axis, length in enumerate(after):
        if length == size and math.prod(after[:axis]) == ahead:
            return replace(quant, axis=axis)
    return None


def steps(value: Value) -> NDArray[np.float64] | None:
    """Returns how many scales each element of a float32 constant is from zero.

    Args:
        value: A constant with a grid.

    Returns:
        Whole numbers: the integers that were dequantised, less their zero point. `None` without a grid.
    """
    if value.data is None or value.quant is None:
        return None
    shape = [-1 if axis == value.quant.axis else 1 for axis in range(value.rank)]
    scale = np.asarray(value.quant.scale, np.float64).reshape(shape if value.quant.axis is not None else ())
    whole: NDArray[np.float64] = np.rint(value.data.astype(np.float64) / scale)
    return whole
