"""The tensors that pass between ops, in arrays: so that many placements of one model are judged quickly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.compat.cost import size_of
from edgekit.compat.finding import Placement
from edgekit.lowering.ledger import Emitted, Value

CODES = {place: code for code, place in enumerate(Placement)}
"""A number for each place."""

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Crossings:
    """What passes between places while the model runs; its public inputs and outputs are not counted.

    Attributes:
        tensors: How many tensors pass; one that two places read passes twice.
        bytes: Their bytes; `None` where a size is not known.
    """

    tensors: int
    bytes: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Which op makes what another one reads.

    Attributes:
        makers: Position of the op that makes a tensor, for each use of a tensor.
        readers: Position of the op that uses it.
        tensors: Which tensor it is.
        sizes: Bytes of each tensor; -1 where not known.
    """

    makers: NDArray[np.int64]
    readers: NDArray[np.int64]
    tensors: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, ops: Sequence[Emitted]) -> Flow:
        """Reads the uses of tensors from ops in execution order."""
        made: dict[Value, int] = {}
        numbers: dict[Value, int] = {}
        uses: list[tuple[int, int, int]] = []
        for i, op in enumerate(ops):
            uses += [
                (made[v], i, numbers.setdefault(v, len(numbers)))
                for v in op.inputs
                if v in made and v is not None
            ]
            made.update(dict.fromkeys(op.outputs, i))
        table = np.array(uses, np.int64).reshape(-1, 3)
        sizes = [-1 if (size := size_of(v)) is None else size for v in numbers]
        return cls(table[:, 0], table[:, 1], table[:, 2], np.array(sizes, np.int64))

    def crossings(self, places: Codes) -> Crossings:
        """Counts the tensors that one place makes and another reads.

        Args:
            places: The code of the place of each op.
        """
        where = places[self.readers]
        passing = places[self.makers] != where
        pairs = np.unique(self.tensors[passing] * len(CODES) + where[passing])
        sizes = self.sizes[pairs // len(CODES)]
        return Crossings(len(pairs), None if (sizes < 0).any() else int(sizes.sum()))


def coded(placements: Sequence[Placement]) -> Codes:
    """Returns the codes of places."""
    return np.array([CODES[place] for place in placements], np.int64)
