"""Optionals around tensors; and refusals of what has no meaning in a library of tensors."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.table import lowers


@lowers("OptionalHasElement", since=15)
def has_element(b: TVMBuilder, n: Op) -> Value:
    """True for a tensor, false for nothing."""
    return b.const(n.input(0) is not None, np.bool_)


@lowers("OptionalGetElement", since=15)
def get_element(b: TVMBuilder, n: Op) -> Value:
    """The tensor."""
    return n.operand(0)


@lowers("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", since=1)
@lowers("Bernoulli", since=15)
def random(b: TVMBuilder, n: Op) -> Value:
    """Random results: refused, since no two runtimes draw the same."""
    n.refuse(
        "its result is random: no runtime gives the numbers of another, so nothing could be verified",
        help="make the random tensor an input of the model",
    )


@lowers(
    "SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase", "SequenceAt", "SequenceLength",
    "SequenceMap", "SplitToSequence", "ConcatFromSequence", "Optional",
    since=11,
)  # fmt: skip
def sequence(b: TVMBuilder, n: Op) -> Value:
    """Sequences and optionals: refused."""
    n.refuse("a library takes and gives tensors only", help="export the model with plain tensors")


@lowers("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", since=1)
def text(b: TVMBuilder, n: Op) -> Value:
    """Text: refused."""
    n.refuse(
        "there are no kernels that compute with text", code="EK303", help="tokenise outside of the model"
    )
