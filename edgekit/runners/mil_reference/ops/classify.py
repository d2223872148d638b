"""`classify`: the label of the most probable class, and the probabilities by label."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.runners.mil_reference.refusal import Refusal, require
from edgekit.runners.mil_reference.table import Labels, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("classify")
def classify(probabilities: Array, classes: Labels) -> tuple[Array, dict[Any, Any]]:
    """Names the class of the largest probability, the first of several."""
    require(all(isinstance(c, np.ndarray) and c.ndim == 0 for c in classes), "a class is no label")
    require(
        len(classes) == probabilities.size,
        f"there are {len(classes)} classes for {probabilities.size} numbers",
    )
    if not classes:
        raise Refusal("there are no classes")
    labels = [c.item() for c in classes]
    require(len(set(labels)) == len(labels), "a class is named twice")
    flat = probabilities.reshape(-1)
    return classes[int(flat.argmax())], dict(zip(labels, flat.tolist(), strict=True))
