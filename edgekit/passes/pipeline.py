"""The order of the passes on the hub IR, and `prepare`, which runs them."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.ir import Model
from edgekit.passes.report import PassReport

FOLD_LIMIT_BYTES = 16 * 2**20
"""A folded constant may exceed the size of its inputs by this much, in bytes."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model that lowerings can take.

    Attributes:
        model: The prepared model; shares the weight tensors with the one it was made from.
        reports: One for each pass that ran, in order.
    """

    model: Model
    reports: tuple[PassReport, ...]


def prepare(model: Model, *, fold_limit_bytes: int = FOLD_LIMIT_BYTES) -> Prepared:
    """Normalises and simplifies a model for lowering; the model given is not changed.

    Afterwards every node of the default domain is in the newest form of its op, constants are
    initializers, shapes and dtypes are inferred as far as possible, what can be folded is folded,
    BatchNormalization is fused, dead code is gone, nodes are sorted, and every node has the union of the
    origins of the nodes it stands for.

    Args:
        model: Any model that an importer returned.
        fold_limit_bytes: How many bytes a folded constant may exceed its inputs by.

    Returns:
        The prepared model and what each pass changed.

    Raises:
        EdgekitError: EK108 for an op version that has no adapter, EK114 when shapes or types contradict
            each other, EK104 for an invalid graph.
    """
    raise NotImplementedError
