"""Reductions commute with every permutation; a dropped axis leaves the order of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Emitted, Value
from edgekit.lowering.tflite.layout.lemma import Lemmas, Rewrite, commutes
from edgekit.lowering.tflite.layout.perm import Perm, identity, inverse


def _rewrite(op: Emitted, perm: Perm, keep_dims: bool) -> Rewrite | None:
    axes = op.inputs[1]
    if axes is None or axes.data is None:
        return None
    named = [int(a) % len(perm) for a in axes.data.reshape(-1)]
    where = inverse(perm)
    data: NDArray[Any] = np.asarray([where[a] for a in named], axes.dtype).reshape(axes.data.shape)
    moved = Value(axes.dtype, axes.shape, data)
    result = perm if keep_dims else _without(perm, set(named))
    return Rewrite((perm, None), (result,), {1: moved})


def _without(perm: Perm, dropped: set[int]) -> Perm:
    """The permutation that is left of the kept axes, renumbered."""
    kept = [a for a in range(len(perm)) if a not in dropped]
    return tuple(kept.index(a) for a in perm if a not in dropped)


def _lemmas(keeps: bool | None) -> Lemmas:
    """`keeps` fixes whether the axes stay; `None` reads the option `keep_dims`."""

    def keep(op: Emitted) -> bool:
        return bool(op.attrs.get("keep_dims")) if keeps is None else keeps

    def forward(op: Emitted, index: int, perm: Perm) -> Rewrite | None:
        return _rewrite(op, perm, keep(op)) if index == 0 else None

    def backward(op: Emitted, index: int, perm: Perm) -> Rewrite | None:
        x = op.inputs[0]
        assert x is not None
        if keep(op):
            return _rewrite(op, perm, keep_dims=True)
        # Where the dropped axes would go is not determined by the result: offer the order as it is.
        return _rewrite(op, identity(x.rank), keep_dims=False) if perm == identity(len(perm)) else None

    return Lemmas(forward, backward)


commutes(
    "MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL", lemmas=_lemmas(None)
)
commutes("ARG_MAX", "ARG_MIN", lemmas=_lemmas(False))
