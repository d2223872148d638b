"""The order of the passes on the hub IR, and `prepare`, which runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

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
    merge_constants,
    merge_relabels,
    normalise,
    qoperator,
    recognise,
    sequences,
    unique_names,
)
from edgekit.passes.order import require_order
from edgekit.passes.report import PassReport

FOLD_LIMIT_BYTES = 16 * 2**20
"""A folded constant may exceed the size of its inputs by this much, in bytes."""

Run = Callable[[ir.Model], PassReport | tuple[PassReport, ...]]


@dataclass(frozen=True, slots=True)
class Step:
    """One pass at its place, with what makes the place right.

    Attributes:
        run: Changes a model in place and tells what it changed.
        needs: Properties of the graph that it relies on.
        gives: Properties that hold afterwards.
        breaks: Properties that need not hold any more.
    """

    run: Run
    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    breaks: frozenset[str] = frozenset()


FLAT, LIFTED = "no functions", "no Constant nodes"
NORMAL, FUSED = "newest opset, folded, typed", "affine maps in the weights before them"
CLEAN, NAMED = "nothing unused", "unique names"
PROMISED = frozenset({FLAT, LIFTED, NORMAL, FUSED, CLEAN, NAMED})
"""What `prepare` promises of its result."""


def _step(run: Run, needs: Sequence[str], gives: Sequence[str] = (), breaks: Sequence[str] = ()) -> Step:
    return Step(run, frozenset(needs), frozenset(gives), frozenset(breaks))


def steps(fold_limit_bytes: int = FOLD_LIMIT_BYTES) -> tuple[Step, ...]:
    """Returns the passes in the order in which they run.

    Args:
        fold_limit_bytes: How many bytes a folded constant may exceed its inputs by.
    """
    fold = partial(normalise.call, fold_limit_bytes=fold_limit_bytes)
    rewriting = (CLEAN, NAMED)
    return (
        _step(inline_functions.call, (), (FLAT,), (LIFTED, *rewriting)),
        _step(lift_constants.call, (FLAT,), (LIFTED,), (NAMED,)),
        _step(qoperator.call, (FLAT, LIFTED), (), rewriting),
        _step(fold, (FLAT, LIFTED), (NORMAL,), rewriting),
        _step(sequences.call, (NORMAL,), (), rewriting),
        _step(dead_code.call, (NORMAL,), (CLEAN,)),
        _step(identities.call, (NORMAL, CLEAN), (), (CLEAN,)),
        _step(merge_relabels.call, (NORMAL,), (), rewriting),
        _step(deduplicate.call, (NORMAL,), (), (CLEAN,)),
        _step(recognise.call, (NORMAL,), (), rewriting),
        _step(dead_code.call, (NORMAL,), (CLEAN,)),
        _step(fuse_pad.call, (NORMAL, CLEAN), (), rewriting),
        _step(fuse_gemm.call, (NORMAL,), (), rewriting),
        _step(fuse_affine.call, (NORMAL,), (FUSED,), rewriting),
        _step(batch_norm.call, (NORMAL, FUSED), (), rewriting),
        _step(merge_constants.call, (NORMAL, FUSED), (), rewriting),
        _step(identities.call, (NORMAL,), (), (CLEAN,)),
        _step(dead_code.call, (NORMAL,), (CLEAN,)),
        _step(unique_names.call, (), (NAMED,)),
    )


def check_order(order: Sequence[Step]) -> None:
    """Holds an order to what its passes need, and its end to what `prepare` promises.

    Args:
        order: Passes as they would run.

    Raises:
        ValueError: If a pass runs where something it needs does not hold.
    """
    holds: frozenset[str] = frozenset()
    for position, step in enumerate(order):
        if step.needs - holds:
            raise ValueError(f"pass {position} needs {sorted(step.needs - holds)}")
        holds = (holds - step.breaks) | step.gives
    if PROMISED - holds:
        raise ValueError(f"the order ends without {sorted(PROMISED - holds)}")


check_order(steps())


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
            contradict each other, EK104 for nodes that are not in order.
    """
    require_order(model.ir.graph)
    work = model.ir.clone()
    reports: list[PassReport] = []
    for step in steps(fold_limit_bytes):
        done = step.run(work)
        reports.extend(done if isinstance(done, tuple) else (done,))
    return Prepared(replace(model, ir=work), tuple(reports))
