"""`fix`: applies the rewrites that bring more of a model onto a target, and keeps no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from edgekit.compat.advice import Advice, advice
from edgekit.compat.candidate import Candidate
from edgekit.compat.check import FailOn, Result, check
from edgekit.diagnostics import EdgekitError, error
from edgekit.ir import Model
from edgekit.passes import dead_code, unique_names
from edgekit.passes.pipeline import prepare
from edgekit.target import Target


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """A rewrite that was kept.

    Attributes:
        advice: The rewrite.
        count: How many nodes it rewrote.
        before: Source nodes off the accelerator before it.
        after: The same behind it.
        model: The prepared model with this rewrite and those before it.
    """

    advice: Advice
    count: int
    before: int
    after: int
    model: Model


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """What rewriting gave.

    Attributes:
        candidate: The model with all rewrites that were kept, ready to be checked.
        start: The prepared model without any.
        before: What the target says of the model as it was given.
        applied: The rewrites, in order.
    """

    candidate: Candidate
    start: Model
    before: Result
    applied: tuple[Applied, ...]

    @property
    def model(self) -> Model:
        """The prepared model with all rewrites."""
        return self.applied[-1].model if self.applied else self.start


def fix(candidate: Candidate, target: Target, cpus: Sequence[Target] = (), only: str | None = None) -> Fixed:
    """Tries every rewrite on the nodes that do not run on the accelerator, and keeps those that help.

    Args:
        candidate: The model, or a file that can be imported.
        target: The target.
        cpus: Targets that judge what falls back.
        only: The name of the one rewrite to try; all if `None`.

    Raises:
        EdgekitError: EK204 for an unknown rewrite, EK202 for a file that holds no model, else as `check`.
    """
    source = candidate.as_model()
    if source is None or source.model is None:
        raise error("EK202", f"`{candidate.name}` cannot be rewritten", help="give the model behind it")
    known = advice()
    if only is not None and only not in known:
        raise error("EK204", f"there is no rewrite `{only}`", notes=(f"rewrites: {', '.join(known)}",))
    start = prepare(source.model).model
    before = _judged(candidate, target, cpus)
    current = _with(source, start)
    result = _judged(current, target, cpus)
    applied: list[Applied] = []
    model = start
    for one in (known[only],) if only is not None else known.values():
        if result.full:
            break
        changed, count = _changed(model, one, result)
        if not count:
            continue
        tried = _with(source, changed)
        found = _judged(tried, target, cpus)
        if _off(found) < _off(result):
            applied.append(Applied(one, count, _off(result), _off(found), changed))
            model, current, result = changed, tried, found
    return Fixed(current, start, before, tuple(applied))


def _changed(model: Model, one: Advice, result: Result) -> tuple[Model, int]:
    work = model.ir.clone()
    names = {node.name for node in result.failing(FailOn.FALLBACK)}
    count = one.apply(work, names)
    if count:
        _retyped(work)
    return replace(model, ir=work), count


def _retyped(model: ir.Model) -> None:
    """Gives the new values their types."""
    from edgekit.passes import normalise
    from edgekit.passes.pipeline import FOLD_LIMIT_BYTES

    normalise.call(model, FOLD_LIMIT_BYTES)
    dead_code.call(model)
    unique_names.call(model)


def _with(candidate: Candidate, prepared: Model) -> Candidate:
    """The same model, lowered from the given prepared form."""
    return replace(candidate, own=None, _views={}, _prepared=prepared, _quantised={})


def _judged(candidate: Candidate, target: Target, cpus: Sequence[Target]) -> Result:
    found = check(candidate, [target], cpus)
    if found.skipped:
        raise EdgekitError(*found.skipped[0].diagnostics)
    return found.results[0]


def _off(result: Result) -> int:
    """Source nodes that are not known to run on the accelerator."""
    return len(result.failing(FailOn.FALLBACK))
