"""The order of the passes on the hub IR, and `prepare`, which runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import onnx_ir as ir

from edgekit.ir import Model
from edgekit.passes import (
    batch_norm,
    dead_code,
    deduplicate,
    fuse_affine,
    fuse_gemm,
    fuse_pad,
    identities,
    inline_functions,
    lift_constants,
    merge_relabels,
    normalise,
    recognise,
    sort,
    unique_names,
)
from edgekit.passes.report import PassReport

FOLD_LIMIT_BYTES = 16 * 2**20
"""A folded constant may exceed the size of its inputs by this much, in bytes."""

Pass = Callable[[ir.Model], PassReport]

BEFORE: tuple[Pass, ...] = (inline_functions.call, lift_constants.call, sort.call)
"""Passes that take a model of any opset: one graph, constants as initializers, in order."""

AFTER: tuple[Pass, ...] = (
    dead_code.call,
    identities.call,
    merge_relabels.call,
    deduplicate.call,
    recognise.call,
    fuse_pad.call,
    fuse_gemm.call,
    fuse_affine.call,
    batch_norm.call,
    identities.call,
    dead_code.call,
    unique_names.call,
)
"""Passes on a normalised model: newest opset, folded, typed."""


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
    BatchNormalization is fused, dead code is gone, nodes are sorted, and every node has the union of
    the origins of the nodes it stands for.

    Args:
        model: Any model that an importer returned.
        fold_limit_bytes: How many bytes a folded constant may exceed its inputs by.

    Returns:
        The prepared model and what each pass changed.

    Raises:
        EdgekitError: EK108 for an op version that has no adapter, EK114 when shapes or types
            contradict each other, EK104 for an invalid graph.
    """
    work = model.ir.clone()
    reports = [run(work) for run in BEFORE]
    reports.extend(normalise.call(work, fold_limit_bytes))
    reports.extend(run(work) for run in AFTER)
    return Prepared(replace(model, ir=work), tuple(reports))
