"""Whether a calculation done beforehand in float64 can be stored in the dtype of the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def fits(array: NDArray[np.float64], dtype: np.dtype[Any]) -> bool:
    """Tells whether rounding loses only last digits, of each number or beside the largest one.

    Args:
        array: The exact numbers.
        dtype: The floating dtype that they will be stored in.

    Returns:
        False when a number overflows, or one that matters becomes 0 or denormal.
    """
    if not array.size:
        return True
    with np.errstate(all="ignore"):
        rounded = array.astype(dtype).astype(np.float64)
        size = np.abs(array)
        lost = np.abs(rounded - array) > 1e-6 * size + 1e-9 * size.max()
    return bool(np.isfinite(rounded).all() and not lost.any())
