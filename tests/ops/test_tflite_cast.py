"""Conversions of dtype, bit for bit."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import to_float8e8m0

WIDE = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
        "uint64", "bool")  # fmt: skip
FLOAT8 = ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ")
FLOATS = (*FLOAT8, "FLOAT4E2M1", "FLOAT6E2M3", "FLOAT6E3M2")


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def dtype_of(name):
    return np.dtype(helper.tensor_dtype_to_np_dtype(getattr(TensorProto, name)))


@pytest.mark.parametrize("source", WIDE)
@pytest.mark.parametrize("target", WIDE)
def test_wide_dtypes(bench, draw, source, target):
    if "uint64" in (source, target) and {source, target} & {"float32", "float64", "float16"}:
        return  # see the refusal below
    x = draw(source, 30)
    if np.dtype(source).kind == "f":  # ONNX leaves what is out of range open
        x = np.clip(x, 0, None) if target.startswith("u") else x
    to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    bench.check("Cast", [x], {"to": to}, expected=[x.astype(target)])
    bench.check("CastLike", [x, np.zeros(1, target)], expected=[x.astype(target)])


@pytest.mark.parametrize(("source", "target"), [("uint64", "float32"), ("float32", "uint64")])
def test_no_kernel_reads_uint64_as_a_number(bench, source, target):
    to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    text = bench.refused("Cast", [np.zeros(3, source)], {"to": to})
    assert text.startswith("EK303")
    assert "uint64" in text


def near(dtype):
    """Every value, the middles between neighbours and their neighbours in float32, and beyond."""
    codes = np.arange(1 << (8 if "8" in dtype.name else int(dtype.name[5])), dtype=np.uint8)
    values = codes.view(dtype).astype(np.float32)
    values = np.unique(values[np.isfinite(values)])
    middles = (values[1:] + values[:-1]) / 2
    large = values.max() * np.float32([1.01, 1.03, 1.0358, 1.07, 2, 1e6])
    edges = [np.nextafter(middles, np.float32(side)) for side in (np.inf, -np.inf)]
    special = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0])
    return np.concatenate([values, middles, *edges, large, -large, special])


@pytest.mark.parametrize("name", FLOATS)
def test_narrow_floats_round_to_even(bench, name):
    dtype = dtype_of(name)
    x = near(dtype)
    for saturate in (1, 0) if name in FLOAT8 else (1,):
        want = saturated(x, dtype) if saturate and name in FLOAT8 else x.astype(dtype)
        attrs = {"to": getattr(TensorProto, name), "saturate": saturate}
        (got,) = bench.check("Cast", [x], attrs, opset=28, expected=[want])
        np.testing.assert_array_equal(got.view(np.uint8), want.view(np.uint8))


def saturated(x, dtype):
    limits = ml_dtypes.finfo(dtype)
    return np.clip(x, float(limits.min), float(limits.max)).astype(dtype)


@pytest.mark.parametrize("mode", ["up", "down", "nearest"])
@pytest.mark.parametrize("saturate", [0, 1])
def test_exponents(bench, rng, mode, saturate):
    x = np.abs(np.exp2(rng.uniform(-126, 127.9, 2000))).astype(np.float32)
    x = np.concatenate([x, np.exp2(np.arange(-126, 128)).astype(np.float32), np.float32([0, np.nan])])
    attrs = {"to": TensorProto.FLOAT8E8M0, "saturate": saturate, "round_mode": mode}
    want = to_float8e8m0(x, bool(saturate), mode)
    (got,) = bench.check("Cast", [x], attrs, opset=28, expected=[want])
    np.testing.assert_array_equal(got.view(np.uint8), want.view(np.uint8))


@pytest.mark.parametrize("name", [*FLOATS, "FLOAT8E8M0", "INT4", "UINT4", "INT2", "UINT2"])
def test_narrow_dtypes_are_read_exactly_and_move(bench, name):
    dtype = dtype_of(name)
    codes = np.arange(1 << (8 if "8" in name else int(name.lstrip("FLOATUIN")[0])), dtype=np.uint8)
    x = (codes.view(dtype) if name.startswith("FLOAT") else codes.astype(dtype)).reshape(2, -1)
    bench.check("Cast", [x], {"to": TensorProto.FLOAT}, opset=28, expected=[x.astype(np.float32)])
    if "FLOAT6" not in name:  # only Cast takes those
        bench.check("Transpose", [x], opset=25, expected=[x.T])


@pytest.mark.parametrize("name", ["INT4", "UINT4", "INT2", "UINT2"])
def test_narrow_integers_keep_the_low_bits(bench, name):
    x = np.arange(-20, 20).astype(np.float32)
    want = x.astype(dtype_of(name))
    bench.check("Cast", [x], {"to": getattr(TensorProto, name)}, opset=28, expected=[want])
    integers = x.astype(np.int32)
    bench.check("Cast", [integers], {"to": getattr(TensorProto, name)}, opset=28, expected=[want])


def test_float64_to_float8_is_refused_because_it_would_round_twice(bench):
    text = bench.refused("Cast", [np.zeros(3)], {"to": TensorProto.FLOAT8E5M2})
    assert "rounded twice" in text


@pytest.mark.parametrize(
    ("source", "target"), [("uint64", "float64"), ("float32", "int32"), ("int8", "uint8")]
)
def test_bit_cast(bench, draw, source, target):
    x = draw(source, 3, 4)
    to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    bench.check("BitCast", [x], {"to": to}, expected=[x.view(target)])
