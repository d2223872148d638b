"""Attention."""

from __future__ import annotations

import math

import numpy as np

from edgekit.runners.mil_reference.ops.activation import softmax
from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import Real, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("scaled_dot_product_attention", since=18, alike=("query", "key", "value"))
def scaled_dot_product_attention(
    query: Real, key: Real, value: Real, attn_mask: Array | None = None
) -> Array:
    """Weighs values by how well keys fit queries.

    A mask of bool says what takes part, one of floats is added to the scores.
    """
    require(query.ndim >= 3, f"`query` has the rank {query.ndim}")
    require(query.shape[-1] == key.shape[-1] > 0, "queries and keys differ in width")
    scores = query @ key.swapaxes(-1, -2) / np.float32(math.sqrt(query.shape[-1]))
    if attn_mask is not None and attn_mask.dtype == np.bool_:
        scores = np.where(attn_mask, scores, np.float32(-np.inf))
    elif attn_mask is not None:
        scores = scores + attn_mask
    return np.asarray(softmax(scores) @ value)
