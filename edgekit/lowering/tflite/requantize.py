"""From reals to narrow integers: round half to even, add the zero point, saturate."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from edgekit.lowering.op import Unlowerable
from edgekit.lowering.tflite.formula import Term

INTEGERS = ("int4", "uint4", "int8", "uint8", "int16", "uint16")
"""Dtypes of quantised tensors that TFLite stores and float32 holds exactly."""


def saturated(x: Term, zero: Term | None, dtype: np.dtype[Any]) -> Term:
    """Quantises reals that are already divided by the scale.

    Args:
        x: In float32.
        zero: The zero point in float32; `None` for 0.
        dtype: The integer dtype of the result.

    Returns:
        The integers.

    Raises:
        Unlowerable: For a dtype that TFLite has no such tensors of (EK303).
    """
    if dtype.name not in INTEGERS:
        raise Unlowerable(f"quantisation to {dtype.name}", code="EK303")
    limits = ml_dtypes.iinfo(dtype)
    rounded = x.unary("ROUND")
    shifted = rounded if zero is None else rounded + zero
    return shifted.clip(int(limits.min), int(limits.max)).cast(dtype)
