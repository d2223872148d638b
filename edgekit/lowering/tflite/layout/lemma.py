"""Commutation lemmas: how an op computes on transposed operands.

A lemma states that for an op `y = O(x1, ..)` and a permutation there is a form `O'` of the same op
with `T(s, O(x1, ..)) == O'(T(a1, x1), ..)`. Correctness of the layout pass rests on these lemmas
alone, never on the solver; each one has a property test. An op without a lemma stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.lowering.ledger import Emitted, Value
from edgekit.lowering.tflite.layout.perm import Perm


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A form of an op.

    Attributes:
        inputs: How each operand must come; `None` for one that is constant, left out or any way.
        outputs: How each result comes out.
        operands: Constant operands that change, by position.
        attrs: Options that change.
        columns: Results that come out with the last axis reordered, as `y[..., columns]`; their
            consumers (FULLY_CONNECTED) reorder their weights.
    """

    inputs: tuple[Perm | None, ...]
    outputs: tuple[Perm, ...]
    operands: Mapping[int, Value] = field(default_factory=dict, compare=False)
    attrs: Mapping[str, Any] = field(default_factory=dict, compare=False)
    columns: tuple[int, ...] | None = field(default=None, compare=False)


Lemma = Callable[[Emitted, int, Perm], Rewrite | None]


@dataclass(frozen=True, slots=True)
class Lemmas:
    """The lemma of an op, in both directions.

    Attributes:
        forward: `(op, i, p)`: the form that takes operand `i` as `T(p, .)`; `None` if there is none.
        backward: `(op, j, p)`: the form that gives result `j` as `T(p, .)`; `None` if there is none.
    """

    forward: Lemma
    backward: Lemma


LEMMAS: dict[str, Lemmas] = {}


def commutes(*ops: str, lemmas: Lemmas) -> None:
    """Registers the lemmas of ops.

    Raises:
        ValueError: If an op has some already.
    """
    for op in ops:
        if op in LEMMAS:
            raise ValueError(f"`{op}` has two lemmas")
        LEMMAS[op] = lemmas


Uniform = Callable[[Emitted, Perm], Rewrite | None]


def uniform(*ops: str) -> Callable[[Uniform], Uniform]:
    """Registers a lemma whose operands of full rank and results all carry one permutation."""

    def register(function: Uniform) -> Uniform:
        def forward(op: Emitted, index: int, perm: Perm) -> Rewrite | None:
            rewrite = function(op, perm) if len(perm) == op.outputs[0].rank else None
            # An operand that the form takes any way (a constant, a scalar) cannot ask for one.
            return rewrite if rewrite is not None and rewrite.inputs[index] is not None else None

        def backward(op: Emitted, index: int, perm: Perm) -> Rewrite | None:
            return function(op, perm)

        commutes(*ops, lemmas=Lemmas(forward, backward))
        return function

    return register
