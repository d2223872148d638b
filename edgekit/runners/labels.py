"""Classifiers: scores by label, brought back into the order of the source model's elements."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.artifact import Binding
from edgekit.diagnostics import error
from edgekit.ir import TensorSpec
from edgekit.runners.base import Array


def labels_name(name: str) -> str:
    """Returns under which name a runner gives the labels of a dictionary's elements."""
    return f"{name}#labels"


def scores(results: Mapping[str, Array], binding: Binding, spec: TensorSpec) -> Array:
    """Returns the scores as the source model's output has them.

    Args:
        results: What the runner gave.
        binding: Where the dictionary is.
        spec: The output of the source model.

    Raises:
        EdgekitError: EK603 if the labels are not those that the artifact was given, or the label that it
            names does not have the highest score.
    """
    assert binding.classes is not None
    classes = binding.classes
    found = dict(
        zip(results[labels_name(binding.tensor)].tolist(), results[binding.tensor].tolist(), strict=True)
    )
    if set(found) != set(classes.names):
        wrong = sorted(set(found) ^ set(classes.names))
        raise error(
            "EK603",
            f"the labels of the output `{spec.name}` are not those that were given",
            notes=(f"given or found only: {', '.join(wrong[:5])}",),
        )
    best, named = max(found.values()), str(results[classes.label].item())
    if found.get(named) != best:
        raise error(
            "EK603",
            f"the artifact names the class `{named}`, whose score {found.get(named)} is not the highest",
        )
    sizes = [size for size in spec.shape or () if isinstance(size, int)]
    return np.array([found[name] for name in classes.names], binding.dtype).reshape(sizes)
