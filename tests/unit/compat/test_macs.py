"""Counts of multiply-accumulate operations against numbers worked out by hand, and a direct count."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.compat.macs import ONNX, TFLITE, Operation, count


def onnx(
    op: str, *inputs: tuple[int | None, ...] | None, out: tuple[int | None, ...] | None, **attrs: object
) -> int | None:
    return count(ONNX, Operation(op, inputs, (out,), attrs))


def tflite(op: str, *inputs: tuple[int, ...], out: tuple[int, ...], **attrs: object) -> int | None:
    return count(TFLITE, Operation(op, inputs, (out,), attrs))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (onnx("Conv", (1, 3, 224, 224), (32, 3, 3, 3), out=(1, 32, 112, 112)), 32 * 112 * 112 * 27),
        (onnx("Conv", (1, 32, 56, 56), (32, 1, 3, 3), out=(1, 32, 56, 56), group=32), 32 * 56 * 56 * 9),
        (onnx("ConvTranspose", (1, 8, 4, 4), (8, 5, 2, 2), out=(1, 5, 8, 8)), 8 * 4 * 4 * 5 * 4),
        (onnx("Gemm", (2, 10), (10, 4), out=(2, 4)), 80),
        (onnx("Gemm", (10, 2), (10, 4), out=(2, 4), transA=1), 80),
        (onnx("MatMul", (8, 2, 10), (10, 4), out=(8, 2, 4)), 640),
        (onnx("MatMul", (10,), (10,), out=()), 10),
        (onnx("QLinearConv", (1, 3, 8, 8), (), (), (4, 3, 3, 3), out=(1, 4, 8, 8)), 4 * 64 * 27),
        (onnx("LSTM", (7, 2, 5), (1, 12, 5), (1, 12, 3), out=(7, 1, 2, 3)), 7 * 2 * (60 + 36)),
        (onnx("Einsum", (2, 3), (3, 4), out=(2, 4), equation="ij, jk -> ik"), 24),
        (onnx("Einsum", (2, 3), out=(3, 2), equation="ij->ji"), 0),
        (onnx("Relu", (1, 3), out=(1, 3)), 0),
        (tflite("CONV_2D", (1, 8, 8, 3), (4, 3, 3, 3), (4,), out=(1, 8, 8, 4)), 4 * 64 * 27),
        (tflite("DEPTHWISE_CONV_2D", (1, 8, 8, 4), (1, 3, 3, 4), (4,), out=(1, 8, 8, 4)), 4 * 64 * 9),
        (tflite("CONV_3D", (1, 4, 4, 4, 2), (3, 3, 3, 2, 5), out=(1, 4, 4, 4, 5)), 320 * 54),
        (tflite("TRANSPOSE_CONV", (4,), (5, 2, 2, 8), (1, 4, 4, 8), out=(1, 8, 8, 5)), 8 * 16 * 5 * 4),
        (tflite("FULLY_CONNECTED", (2, 10), (4, 10), (4,), out=(2, 4)), 80),
        (tflite("BATCH_MATMUL", (8, 2, 10), (8, 10, 4), out=(8, 2, 4)), 640),
        (tflite("BATCH_MATMUL", (8, 10, 2), (8, 10, 4), out=(8, 2, 4), adj_x=True), 640),
        (tflite("ADD", (2, 10), (2, 10), out=(2, 10)), 0),
    ],
)
def test_known_counts(found: int | None, expected: int) -> None:
    assert found == expected


@pytest.mark.parametrize(
    "found",
    [
        onnx("Conv", (None, 3, 8, 8), (4, 3, 3, 3), out=(None, 4, 8, 8)),
        onnx("MatMul", None, (3, 4), out=(2, 4)),
        onnx("Gemm", (2, None), (10, 4), out=(2, 4)),
        onnx("Einsum", (2, 3), (3, 4), out=(2, 4), equation="...j,jk->...k"),
        onnx("Attention", (1, 2, 3), (1, 2, 3), (1, 2, 3), out=(1, 2, 3)),
        tflite("SVDF", (1, 2), out=(1, 2)),
    ],
)
def test_what_shapes_do_not_tell_is_unknown_never_zero(found: int | None) -> None:
    assert found is None


@given(
    batch=st.integers(1, 2),
    group=st.integers(1, 3),
    per_group=st.integers(1, 2),
    outs=st.integers(1, 2),
    size=st.integers(1, 4),
    kernel=st.integers(1, 3),
)
def test_a_convolution_counts_what_its_loops_multiply(
    batch: int, group: int, per_group: int, outs: int, size: int, kernel: int
) -> None:
    channels, filters = group * per_group, group * outs
    loops = itertools.product(
        range(batch), range(filters), range(size), range(size), range(per_group), range(kernel), range(kernel)
    )
    shape = (batch, channels, size, size)
    found = onnx("Conv", shape, (filters, per_group, kernel, kernel), out=(batch, filters, size, size))
    assert found == sum(1 for _ in loops)
