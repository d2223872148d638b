"""Optionals around tensors; TFLite has no optional values, sequences or text ops of its own."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers


@lowers("OptionalHasElement", since=15)
def has_element(b: TFLiteBuilder, n: Op) -> Value:
    """OptionalHasElement -> true for a tensor, false for nothing."""
    return b.const(n.input(0) is not None, np.bool_)


@lowers("OptionalGetElement", since=15)
def get_element(b: TFLiteBuilder, n: Op) -> Value:
    """OptionalGetElement -> the tensor."""
    return n.operand(0)


@lowers(
    "SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase", "SequenceAt", "SequenceLength",
    "SequenceMap", "SplitToSequence", "ConcatFromSequence", "Optional",
    since=11,
)  # fmt: skip
def sequence(b: TFLiteBuilder, n: Op) -> Value:
    """Sequences and optionals: refused."""
    n.refuse("TFLite has no sequences and no optional values", help="export the model with plain tensors")


@lowers("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", since=1)
def text(b: TFLiteBuilder, n: Op) -> Value:
    """Text: refused."""
    n.refuse(
        "TFLite has no kernels that compute with text", code="EK303", help="tokenise outside of the model"
    )


@lowers("ImageDecoder", since=20)
def image(b: TFLiteBuilder, n: Op) -> Value:
    """ImageDecoder: refused."""
    n.refuse("TFLite has no image decoder", help="decode outside of the model and make the pixels its input")
