"""Ops with random results: their inference forms, and refusals of the rest."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers


@lowers("Dropout", since=12)
def dropout(b: TFLiteBuilder, n: Op) -> tuple[Value, Value | None]:
    """Dropout -> its operand, and a mask of ones where it is asked for."""
    x = n.operand(0)
    training, ratio = n.input(2), n.input(1)
    if training is not None and n.known(2, "training_mode").any():
        rate = 0.5 if ratio is None else float(n.known(1, "ratio").reshape(()))
        if rate != 0:
            n.refuse(
                f"`training_mode` with a ratio of {rate:g} drops elements at random",
                help="export the model for inference",
            )
    if not n.is_used(1):
        return x, None
    dims = sz.pack(b, sz.sizes_of(b, x))
    return x, b.op("FILL", [dims, b.const(True, np.bool_)], dtype=np.bool_, shape=x.shape)


@lowers("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", since=1)
@lowers("Bernoulli", since=15)
def random(b: TFLiteBuilder, n: Op) -> Value:
    """RandomNormal, RandomUniform, ..., Bernoulli: refused, since no two runtimes draw the same."""
    n.refuse(
        "its result is random: no runtime gives the numbers of another, so nothing could be verified",
        help="make the random tensor an input of the model",
    )
