"""BitCast between integers of one width, which Core ML keeps in int32 alike."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.integers import wrap
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("BitCast", since=26)
def bit_cast(b: CoreMlBuilder, n: Op) -> Value:
    """BitCast -> nothing for 32 bits, else a remainder that moves the sign."""
    x, dtype = n.operand(0), n.out().dtype
    if x.data is not None:
        return b.const(x.data.view(dtype))
    if x.dtype == dtype:
        return x
    if x.dtype == np.bool_ and dtype.itemsize == 1:
        return b.relabel(b.cast(x, np.int32), dtype)
    if x.dtype.kind not in "iu" or dtype.kind not in "iu" or x.dtype.itemsize != dtype.itemsize:
        n.refuse(f"the bits of {x.dtype.name} as {dtype.name}; Core ML has no op on bits", code="EK303")
    if dtype.itemsize == 8:
        n.refuse(f"the bits of {x.dtype.name} as {dtype.name} may leave int32", code="EK303")
    return b.relabel(x, dtype) if dtype.itemsize == 4 else wrap(b, b.relabel(x, np.int32), dtype)
