from __future__ import annotations

import io

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.runners import wire

NUMPY = ["bool", "int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64", "complex64"]
NARROW = [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4, ml_dtypes.uint4]


def through(header: wire.Header, *arrays: np.ndarray) -> tuple[wire.Header, list[np.ndarray]]:
    stream = io.BytesIO()
    wire.send(stream, header, arrays)
    stream.seek(0)
    received = wire.receive(stream)
    assert received is not None
    assert stream.read() == b""
    return received


@given(st.sampled_from(NUMPY).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0))))
def test_arrays_arrive_bit_by_bit(array: np.ndarray) -> None:
    _, (back,) = through({}, array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_dtypes_arrive(dtype: type) -> None:
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    _, (back,) = through({}, array)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


def test_views_arrive_in_their_own_order() -> None:
    array = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::2]
    _, (back,) = through({}, array)
    np.testing.assert_array_equal(back, array)


@given(hnp.arrays(object, hnp.array_shapes(min_dims=0, min_side=0), elements=st.text()))
def test_text_arrives(array: np.ndarray) -> None:
    _, (back,) = through({}, array)
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


def test_nan_payloads_are_kept() -> None:
    array = np.array([0x7FC00001, 0xFF800000, 0x80000000], np.uint32).view(np.float32)
    _, (back,) = through({}, array)
    assert back.tobytes() == array.tobytes()


def test_received_arrays_can_be_written_to() -> None:
    _, (back,) = through({}, np.zeros(3))
    back[0] = 1


def test_the_header_arrives_with_several_arrays() -> None:
    header, arrays = through({"op": "run", "n": [1, None]}, np.ones(2), np.zeros((0, 3)), np.array(5))
    assert (header["op"], header["n"]) == ("run", [1, None])
    assert [a.shape for a in arrays] == [(2,), (0, 3), ()]


def test_the_end_of_the_stream_is_not_an_error() -> None:
    assert wire.receive(io.BytesIO()) is None


@given(st.integers(1, 10_000))
def test_a_cut_message_is_an_error(cut: int) -> None:
    stream = io.BytesIO()
    wire.send(stream, {"op": "run"}, [np.arange(100)])
    text = stream.getvalue()
    if cut >= len(text):
        return
    with pytest.raises(wire.WireError):
        wire.receive(io.BytesIO(text[:cut]))


@pytest.mark.parametrize(
    "text", [b"hello, this is no message at all", b"\x02" + b"\0" * 7 + b"{}", b"\xff" * 64]
)
def test_garbage_is_an_error(text: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.receive(io.BytesIO(text))
