"""QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: every code must be the same."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

NARROW = ("uint8", "int8", "uint16", "int16")
GRANULARITIES = [
    ((), 1, 0),
    ((4,), 1, 0),
    ((5,), -1, 0),
    ((3, 2, 5), 1, 2),
    ((3, 2, 5), 1, 3),
]
"""Shape of the scale, axis, size of a block, for an input of (3, 4, 5)."""


def parameters(rng, dtype, shape):
    limits = np.iinfo(dtype)
    scale = rng.uniform(0.005, 0.05, shape).astype(np.float32)
    return np.asarray(scale), rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def options(axis, block):
    return {"axis": axis, "block_size": block} if block else {"axis": axis}


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(("shape", "axis", "block"), GRANULARITIES)
@pytest.mark.parametrize("const", [(1, 2), ()], ids=["constant", "computed"])
def test_quantize_and_dequantize(bench, rng, draw, dtype, shape, axis, block, const):
    scale, zero = parameters(rng, dtype, shape)
    x = draw("float32", 3, 4, 5)
    x.reshape(-1)[:2] = [1e9, -1e9]
    attrs, dynamic = options(axis, block), {0: (0,)} if not block else ()
    bench.check("QuantizeLinear", [x, scale, zero], attrs, const=const, dynamic=dynamic, opset=21)
    q = draw(dtype, 3, 4, 5)
    bench.check(
        "DequantizeLinear", [q, scale, zero], attrs, const=const, dynamic=dynamic, opset=21, rtol=1e-7
    )


def test_halves_round_to_even(bench):
    x = np.arange(-9, 10, dtype=np.float32) * np.float32(0.25)
    codes = [np.asarray(0.5, np.float32), np.asarray(0, np.int8)]
    expected = np.rint(x / np.float32(0.5)).astype(np.int8)
    bench.check("QuantizeLinear", [x, *codes], const=(1, 2), opset=21, expected=[expected])


def test_the_last_block_may_be_shorter(bench, rng, draw):
    scale, zero = parameters(rng, "uint8", (3, 3, 2))
    attrs = {"axis": 1, "block_size": 3}
    bench.check("QuantizeLinear", [draw("float32", 3, 7, 2), scale, zero], attrs, const=(1, 2), opset=21)


@pytest.mark.parametrize("dtype", ["int4", "uint4"])
def test_four_bits(bench, draw, dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype))
    scale, zero = np.asarray(0.5, np.float32), np.asarray(1, kind)
    x = draw("float32", 3, 7, scale=4)
    limits = ml_dtypes.iinfo(kind)
    codes = np.clip(np.rint(x / 0.5) + 1, int(limits.min), int(limits.max)).astype(kind)
    got = bench.check("QuantizeLinear", [x, scale, zero], const=(1, 2), opset=21, expected=[codes])
    assert got[0].dtype == kind


def test_int32_has_no_zero_point(bench, draw):
    x, scale = draw("int32", 20), np.asarray(0.3, np.float32)
    bench.check("DequantizeLinear", [x, scale], const=(1,), opset=21, rtol=1e-7)
    text = bench.refused("DequantizeLinear", [x, scale, np.asarray(1, np.int32)], const=(1, 2), opset=21)
    assert "a zero point for int32" in text


def test_half_precision(bench, draw):
    scale, zero = np.asarray(0.1234, np.float16), np.asarray(3, np.int8)
    bench.check("QuantizeLinear", [draw("float16", 500, scale=9), scale, zero], const=(1, 2), opset=21)
    bench.check("DequantizeLinear", [draw("int8", 256), scale, zero], const=(1, 2), opset=21, rtol=0, atol=0)


def test_constant_weights_are_dequantized_when_converting(bench, draw):
    inputs = [draw("int8", 3, 4), np.asarray(0.1, np.float32), np.asarray(0, np.int8)]
    assert bench.emitted("DequantizeLinear", inputs, const=(0, 1, 2), opset=21) == []


@pytest.mark.parametrize("low", [-3, 0, 2])
def test_dynamic_quantization(bench, rng, low):
    x = rng.uniform(low, 5, (3, 40)).astype(np.float32)
    bench.check("DynamicQuantizeLinear", [x], outputs=3, dynamic=(0,))


def test_refusals(bench, draw):
    x, scale = draw("float32", 4), np.asarray(0.1, np.float32)
    zero = np.zeros((), np.dtype(ml_dtypes.float8_e4m3fn))
    text = bench.refused("QuantizeLinear", [x, scale, zero], const=(1, 2), opset=21)
    assert text.startswith("EK303")
    assert "float8_e4m3fn" in text
