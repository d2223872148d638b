"""Names the first op at which two packages differ, such as a package and a copy that was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.runners.mil_reference.model import MilModel
from edgekit.runners.mil_reference.program import Block
from edgekit.runners.mil_reference.types import Array


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two programs part.

    Attributes:
        name: The value of the first program that differs, or is missing in the second.
        op: The type of the op that gives it.
    """

    name: str
    op: str


def first_difference(one: MilModel, other: MilModel, inputs: Mapping[str, Array]) -> Difference | None:
    """Runs two models on the same inputs and compares all their values, bit by bit.

    Args:
        one: The model whose order counts.
        other: The model that is compared with it.
        inputs: Arrays by name.

    Returns:
        The first value that differs, constants left out; `None` if none does.

    Raises:
        EdgekitError: As `MilModel.run`.
    """
    left, right = one.run(inputs, None), other.run(inputs, None)
    for name, op in _values(one.function.block):
        if name in left and (name not in right or not _equal(left[name], right[name])):
            return Difference(name, op)
    return None


def _equal(left: Array, right: Array) -> bool:
    same = left.dtype == right.dtype and left.shape == right.shape
    return same and bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "f"))


def _values(block: Block) -> Iterator[tuple[str, str]]:
    for op in block.ops:
        for inner in op.blocks:
            yield from _values(inner)
        for output in op.outputs:
            yield output.name, op.type
