"""Carrier dtypes: compute in a dtype that LiteRT has a kernel for and that holds every value.

LiteRT's kernels cover few dtypes each. Where a wider dtype represents every value of a narrower
one, the op is computed there and cast back, which is exact for integers (two's complement wraps
the same way when the low bits are kept) and at least as precise for floats.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Unlowerable
from edgekit.lowering.tflite.builder import TFLiteBuilder

_WIDER: dict[str, tuple[str, ...]] = {
    "float16": ("float32",),
    "bfloat16": ("float32",),
    "int8": ("int32", "int64"),
    "uint8": ("int32", "int64"),
    "int16": ("int32", "int64"),
    "uint16": ("int32", "int64"),
    "int32": ("int64",),
    "uint32": ("int64",),
    "bool": ("int32",),
}


def carrier(dtype: np.dtype[Any], kernels: Collection[str]) -> np.dtype[Any]:
    """Returns the dtype to compute in: the dtype itself, else the narrowest that holds it.

    Args:
        dtype: The dtype of the source tensor.
        kernels: Names of the dtypes that the TFLite op has kernels for.

    Raises:
        Unlowerable: If no kernel's dtype holds every value (EK303).
    """
    if dtype.name in kernels:
        return dtype
    for wider in _WIDER.get(dtype.name, ()):
        if wider in kernels:
            return np.dtype(wider)
    raise Unlowerable(
        f"no kernel for {dtype.name} or a dtype that holds it (kernels: {', '.join(sorted(kernels))})",
        code="EK303",
    )


def carried(
    b: TFLiteBuilder,
    values: Sequence[Value],
    kernels: Collection[str],
    compute: Callable[..., Value],
    *,
    result: Any = None,
) -> Value:
    """Casts operands of one dtype to their carrier, computes, and casts the result back.

    Args:
        b: The builder.
        values: Operands, all of one dtype.
        kernels: Names of the dtypes that `compute` has kernels for.
        compute: Takes the cast operands.
        result: Dtype of the result; the operands' own by default (`bool` for comparisons).

    Returns:
        The result in the source's dtype.
    """
    wide = carrier(values[0].dtype, kernels)
    out = compute(*(b.cast(v, wide) for v in values))
    return b.cast(out, values[0].dtype if result is None else result)


FLOAT_TYPES = ("float16", "bfloat16", "float32", "float64")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
