"""How many multiply-accumulate operations an op does, from the shapes of its operands.

Only the multiplications of convolutions, matrix products and recurrences count, as is usual in the field;
padding counts like data, and zeros in weights like other weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Sizes = tuple[int | None, ...] | None
"""Sizes of a tensor; `None` where unknown."""


class Unknown(Exception):  # noqa: N818 - an answer, not a failure
    """The number depends on a size that the model does not state."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An op as far as arithmetic goes.

    Attributes:
        op: Its name in the table that it is looked up in.
        inputs: Shapes of the operands, in order.
        outputs: Shapes of the results, in order.
        attrs: Attributes by name.
    """

    op: str
    inputs: tuple[Sizes, ...]
    outputs: tuple[Sizes, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def input(self, index: int) -> tuple[int, ...]:
        """Returns the shape of an operand.

        Raises:
            Unknown: If any of its sizes is.
        """
        return _known(self.inputs[index] if index < len(self.inputs) else None)

    def elements(self, index: int = 0) -> int:
        """Returns how many elements a result has.

        Raises:
            Unknown: If any of its sizes is.
        """
        return math.prod(_known(self.outputs[index] if index < len(self.outputs) else None))


Count = Callable[[Operation], int]

ONNX: dict[str, Count] = {}
"""Formulas for ops of the default domain; an op without one does no multiply-accumulate operations."""

TFLITE: dict[str, Count] = {}
"""Formulas for builtin ops."""

COREML: dict[str, Count] = {}
"""Formulas for ops of MIL; operands in the order of `COREML_OPERANDS`."""

COREML_OPERANDS: dict[str, tuple[str, ...]] = {
    "conv": ("x", "weight"),
    "conv_transpose": ("x", "weight"),
    "linear": ("x", "weight"),
    "matmul": ("x", "y"),
    "rnn": ("x", "weight_ih", "weight_hh"),
    "gru": ("x", "weight_ih", "weight_hh"),
    "lstm": ("x", "weight_ih", "weight_hh"),
    "scaled_dot_product_attention": ("query", "key", "value"),
}
"""Parameters of MIL's ops whose shapes a formula needs."""


def count(table: Mapping[str, Count], operation: Operation) -> int | None:
    """Returns how many multiply-accumulate operations an op does.

    Args:
        table: `ONNX`, `TFLITE` or `COREML`.
        operation: The op.

    Returns:
        The number; `None` where it cannot be known from the shapes.
    """
    formula = table.get(operation.op.partition(":")[0])  # `CUSTOM:Name` is a custom op
    if formula is None:
        return 0
    try:
        return formula(operation)
    except Unknown:
        return None


def _known(sizes: Sizes) -> tuple[int, ...]:
    if sizes is None:
        raise Unknown
    known = tuple(s for s in sizes if s is not None)
    if len(known) != len(sizes):
        raise Unknown
    return known


def _counts(table: dict[str, Count], *ops: str) -> Callable[[Count], Count]:
    def register(formula: Count) -> Count:
        table.update(dict.fromkeys(ops, formula))
        return formula

    return register


@_counts(ONNX, "Conv", "ConvInteger")
def _conv(op: Operation) -> int:
    """Each output element sums over one filter: weights are [M, C / group, kernel...]."""
    return op.elements() * math.prod(op.input(1)[1:])


@_counts(ONNX, "QLinearConv")
def _qlinear_conv(op: Operation) -> int:
    return op.elements() * math.prod(op.input(3)[1:])


@_counts(ONNX, "ConvTranspose")
def _conv_transpose(op: Operation) -> int:
    """Each input element is multiplied with one filter: weights are [C, M / group, kernel...]."""
    return math.prod(op.input(0)) * math.prod(op.input(1)[1:])


@_counts(ONNX, "Gemm")
def _gemm(op: Operation) -> int:
    return op.elements() * op.input(0)[0 if op.attrs.get("transA") else 1]


@_counts(ONNX, "MatMul", "MatMulInteger", "QLinearMatMul")
def _matmul(op: Operation) -> int:
    return op.elements() * op.input(0)[-1]


@_counts(ONNX, "RNN", "GRU", "LSTM")
def _recurrent(op: Operation) -> int:
    """Steps times batch times the weights of both matrices; the first two sizes of X, in either layout."""
    return math.prod(op.input(0)[:2]) * (math.prod(op.input(1)) + math.prod(op.input(2)))


@_counts(ONNX, "Einsum")
def _einsum(op: Operation) -> int:
    """The product over all indices, which is what a direct evaluation of the sum multiplies."""
    if len(op.inputs) < 2:
        return 0
    terms = str(op.attrs.get("equation", "")).replace(" ", "").split("->")[0].split(",")
    if "..." in "".join(terms) or len(terms) != len(op.inputs):
        raise Unknown
    sizes: dict[str, int] = {}
    for term, index in zip(terms, range(len(terms)), strict=True):
        for label, size in zip(term, op.input(index), strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    return math.prod(sizes.values()) * (len(terms) - 1)


@_counts(ONNX, "Attention", "DeformConv", "DFT", "STFT")
def _not_derived(op: Operation) -> int:
    """They do multiply, by formulas that shapes alone do not give."""
    raise Unknown


@_counts(TFLITE, "CONV_2D")
def _conv_2d(op: Operation) -> int:
    """Weights are [M, height, width, C / group]."""
    return op.elements() * math.prod(op.input(1)[1:])


@_counts(TFLITE, "DEPTHWISE_CONV_2D")
def _depthwise(op: Operation) -> int:
    """Weights are [1, height, width, M]; each output sees one channel."""
    return op.elements() * math.prod(op.input(1)[1:3])


@_counts(TFLITE, "CONV_3D")
def _conv_3d(op: Operation) -> int:
    """Weights are [depth, height, width, C, M]."""
    return op.elements() * math.prod(op.input(1)[:4])


@_counts(TFLITE, "TRANSPOSE_CONV")
def _transpose_conv(op: Operation) -> int:
    """Operands are the output's shape, weights [M, height, width, C], data [N, height, width, C]."""
    return math.prod(op.input(2)) * math.prod(op.input(1)[:3])


@_counts(TFLITE, "FULLY_CONNECTED")
def _fully_connected(op: Operation) -> int:
    return op.elements() * op.input(1)[-1]


@_counts(TFLITE, "BATCH_MATMUL")
def _batch_matmul(op: Operation) -> int:
    return op.elements() * op.input(0)[-2 if op.attrs.get("adj_x") else -1]


@_counts(TFLITE, "UNIDIRECTIONAL_SEQUENCE_LSTM")
def _sequence_lstm(op: Operation) -> int:
    """Steps times batch times the weights of all gates and of the projection (operands 1 to 8 and 16)."""
    weights = sum(math.prod(op.input(i)) for i in (*range(1, 9), 16) if _given(op, i))
    return math.prod(op.input(0)[:-1]) * weights


def _given(op: Operation, index: int) -> bool:
    return index < len(op.inputs) and op.inputs[index] is not None


@_counts(
    TFLITE,
    "CONV_3D_TRANSPOSE",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "LSTM",
    "RNN",
    "SVDF",
    "CUSTOM",
    "WHILE",
    "IF",
    "CALL_ONCE",
)
def _not_derived_tflite(op: Operation) -> int:
    """They may multiply, as often as shapes alone do not tell."""
    raise Unknown


@_counts(COREML, "conv")
def _mil_conv(op: Operation) -> int:
    """Weights are [M, C / groups, kernel...]."""
    return op.elements() * math.prod(op.input(1)[1:])


@_counts(COREML, "conv_transpose")
def _mil_conv_transpose(op: Operation) -> int:
    """Weights are [C, M / groups, kernel...]."""
    return math.prod(op.input(0)) * math.prod(op.input(1)[1:])


@_counts(COREML, "linear")
def _mil_linear(op: Operation) -> int:
    """Weights are [M, C]."""
    return op.elements() * op.input(1)[-1]


@_counts(COREML, "matmul")
def _mil_matmul(op: Operation) -> int:
    return op.elements() * op.input(0)[-2 if op.attrs.get("transpose_x") is True else -1]


@_counts(COREML, "rnn", "gru", "lstm")
def _mil_recurrent(op: Operation) -> int:
    """Steps times batch times the weights of both matrices; x is [steps, batch, C]."""
    return math.prod(op.input(0)[:2]) * (math.prod(op.input(1)) + math.prod(op.input(2)))


@_counts(COREML, "scaled_dot_product_attention")
def _mil_attention(op: Operation) -> int:
    """Both products: queries by keys, and their weights by values."""
    query, key, value = op.input(0), op.input(1), op.input(2)
    return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


@_counts(COREML, "einsum", "while_loop", "cond")
def _not_derived_mil(op: Operation) -> int:
    """They may multiply, as often as shapes alone do not tell."""
    raise Unknown
