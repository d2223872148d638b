"""The table of rewrites."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass

import onnx_ir as ir

from edgekit.ir import origin_of
from edgekit.passes.edit import Maker


class Claim(enum.StrEnum):
    """What a rewrite promises of the outputs; every use of it is held to that by running both models."""

    EXACT = "exact"
    """The same bits."""
    ROUNDING = "rounding"
    """The same function; other roundings of float32."""
    INEXACT = "inexact"
    """Another function, near to the first: the error is stated, and the model should be trained with it."""


Apply = Callable[[ir.Model, Collection[str]], int]


@dataclass(frozen=True, slots=True)
class Advice:
    """A rewrite of nodes in a prepared model.

    Attributes:
        name: What `--fix=` takes.
        what: One line that says what becomes of the nodes.
        claim: What it promises.
        training: What to change in the training code instead; for those that are not exact.
        apply: Rewrites the nodes of the given origins in place; returns how many it rewrote.
    """

    name: str
    what: str
    claim: Claim
    training: str
    apply: Apply


TABLE: dict[str, Advice] = {}
Rewrite = Callable[[Maker], bool]
"""Makes nodes in front of `maker.node` and replaces it, or returns `False` where it does not apply."""


def advises(
    *op_types: str, name: str, what: str, claim: Claim, training: str = ""
) -> Callable[[Rewrite], Rewrite]:
    """Registers the decorated function as the rewrite of ops of the given types.

    Args:
        op_types: ONNX op types.
        name: Its name in kebab case.
        what: One line that says what it does.
        claim: What it promises.
        training: What to change in the training code instead.

    Raises:
        ValueError: If the name is registered already.
    """

    def register(rewrite: Rewrite) -> Rewrite:
        if name in TABLE:
            raise ValueError(f"the advice `{name}` is registered twice")
        apply = lambda model, nodes: _rewritten(model, nodes, op_types, rewrite)  # noqa: E731
        TABLE[name] = Advice(name, what, claim, training, apply)
        return rewrite

    return register


def _rewritten(model: ir.Model, nodes: Collection[str], op_types: Collection[str], rewrite: Rewrite) -> int:
    count = 0
    for node in tuple(model.graph):
        if node.domain or node.op_type not in op_types or not set(origin_of(node).nodes) & set(nodes):
            continue
        count += rewrite(Maker(node))
    return count
