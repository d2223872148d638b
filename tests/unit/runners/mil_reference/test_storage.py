"""Files of weights, compressed constants, quantisation, lists."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.runners.mil_reference.blob import Blob, unpack
from edgekit.runners.mil_reference.types import NAMED, TensorType

from .ops import floats, ints, refused, run


def record(kind: int, data: bytes, unused: int = 0, **changes: int) -> bytes:
    """Writes a file with one tensor."""
    fields = {"version": 2, "sentinel": 0xDEADBEEF, "size": len(data), "start": 128} | changes
    header = struct.pack("<II56x", 1, fields["version"])
    return (
        header
        + struct.pack("<IIQQQ32x", fields["sentinel"], kind, fields["size"], fields["start"], unused)
        + data
    )


def read(tmp_path: Path, content: bytes, name: str, *shape: int) -> np.ndarray:
    path = tmp_path / "weight.bin"
    path.write_bytes(content)
    return Blob(path).read(64, TensorType(NAMED[name], shape))


@pytest.mark.parametrize(
    ("kind", "name", "dtype", "values"),
    [
        (1, "fp16", np.float16, [0.5, -2]),
        (2, "fp32", np.float32, [0.1, 3e38]),
        (3, "uint8", np.uint8, [0, 255]),
        (4, "int8", np.int8, [-128, 127]),
        (6, "int16", np.int16, [-300, 300]),
        (7, "uint16", np.uint16, [0, 60000]),
        (14, "int32", np.int32, [-(2**31), 7]),
        (15, "uint32", np.uint32, [0, 2**32 - 1]),
    ],
)
def test_whole_bytes(tmp_path: Path, kind: int, name: str, dtype: Any, values: list[Any]) -> None:
    array = np.array(values, dtype)
    found = read(tmp_path, record(kind, array.tobytes()), name, 2)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("kind", "name", "data", "unused", "wanted"),
    [
        (8, "int4", b"\x81\x07", 4, [1, -8, 7]),
        (11, "uint4", b"\x81\x0f", 4, [1, 8, 15]),
        (10, "uint2", b"\xe4", 0, [0, 1, 2, 3]),
        (9, "uint1", b"\x05", 5, [1, 0, 1]),
        (12, "uint3", b"\xd1\x00", 7, [1, 2, 3]),
        (13, "uint6", b"\x41\x00", 4, [1, 1]),
    ],
)
def test_parts_of_bytes(
    tmp_path: Path, kind: int, name: str, data: bytes, unused: int, wanted: list[int]
) -> None:
    assert read(tmp_path, record(kind, data, unused), name, len(wanted)).tolist() == wanted


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 63,
        record(2, bytes(8))[:100],
        record(2, bytes(8))[:-1],
        record(2, bytes(8), version=1),
        record(2, bytes(8), sentinel=1),
        record(2, bytes(8), start=2**63),
        record(2, bytes(8), start=0),
        record(2, bytes(8), size=2**64 - 1),
        record(2, bytes(4)),
        record(2, bytes(12)),
        record(2, bytes(8), 3),
        record(1, bytes(8)),
        record(99, bytes(8)),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(EdgekitError) as error:
        read(tmp_path, content, "fp32", 2)
    assert error.value.diagnostics[0].code == "EK507"


@pytest.mark.parametrize(
    "name", ["uint1", "uint2", "uint3", "uint4", "uint6", "int4", "uint8", "int8", "fp16"]
)
def test_the_writer_of_coremltools_is_understood(ct: Any, tmp_path: Path, name: str) -> None:
    storage = pytest.importorskip("coremltools.libmilstoragepython", reason="not built for this platform")
    from coremltools.converters.mil.mil import types

    bits = NAMED[name].bits
    values = np.arange(-8, 5) if name == "int4" else np.arange(13) % (1 << min(bits, 4))
    path = tmp_path / "weight.bin"
    writer = storage._BlobStorageWriter(str(path))
    if name == "fp16":
        offset = writer.write_fp16_data(values.astype(np.float16).view(np.uint16))
    else:
        kind = types.nptype_from_builtin(types.string_to_builtin(name))
        offset = getattr(writer, f"write_{name}_data")(values.astype(kind))
    del writer
    found = Blob(path).read(offset, TensorType(NAMED[name], (13,)))
    assert found.tolist() == values.tolist()


def test_unpacking_more_than_there_is() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        unpack(np.zeros(1, np.uint8), 3, 4, signed=False)


def test_affine_constants() -> None:
    data = ints([[0, 10], [20, 30]], np.uint8)
    given = {"quantized_data": data, "axis": 0, "zero_point": ints([0, 20], np.uint8)}
    found = run("constexpr_affine_dequantize", 16, scale=floats([0.5, 2], np.float16), **given)
    assert found.dtype == np.float16
    assert found.tolist() == [[0, 5], [0, 20]]


def test_tables_of_one_kind() -> None:
    indices = ints([0b11100100, 0b01], np.uint8)
    found = run(
        "constexpr_lut_to_dense", 16, indices=indices, lut=floats([1, 5, 9, 13]), shape=ints([5], np.uint32)
    )
    assert found.tolist() == [1, 5, 9, 13, 5]
    assert "bytes" in refused(
        "constexpr_lut_to_dense", 16, indices=indices, lut=floats([1, 5]), shape=ints([5], np.uint32)
    )


def test_tables_of_blocks() -> None:
    indices = ints([[2, 3], [3, 0], [1, 0], [3, 0], [2, 1], [0, 3]], np.uint8)
    lut = floats([1, 5, 9, 13, 2, 10, 18, 26], np.float16).reshape(2, 1, 4, 1)
    found = run("constexpr_lut_to_dense", 18, indices=indices, lut=lut)
    assert found.tolist() == [[9, 13], [13, 1], [5, 1], [26, 2], [18, 10], [2, 26]]


def test_tables_of_vectors() -> None:
    indices = ints([[[0, 0], [1, 0]], [[1, 1], [0, 0]]], np.uint8)
    lut = ints([1, 2, 3, 4, 5, 6], np.int8).reshape(1, 1, 1, 2, 3)
    found = run("constexpr_lut_to_dense", 18, indices=indices, lut=lut, vector_axis=1)
    assert found[0].tolist() == [[1, 1], [2, 2], [3, 3], [4, 1], [5, 2], [6, 3]]
    found = run("constexpr_lut_to_dense", 18, indices=indices, lut=lut, vector_axis=2)
    assert found[0].tolist() == [[1, 2, 3, 1, 2, 3], [4, 5, 6, 1, 2, 3]]
    assert "vector_axis" in refused("constexpr_lut_to_dense", 18, indices=indices, lut=lut)


def test_blocks_with_their_own_scales() -> None:
    data = ints([[1, 2, 3, 4], [5, 6, 7, -8]], np.int8)
    found = run("constexpr_blockwise_shift_scale", 18, data=data, scale=floats([[1, 10]], np.float16))
    assert found.tolist() == [[1, 2, 30, 40], [5, 6, 70, -80]]
    offset = ints([[1, 0]], np.int8)
    found = run("constexpr_blockwise_shift_scale", 18, data=data, scale=floats([[1, 10]]), offset=offset)
    assert found.tolist() == [[0, 1, 30, 40], [4, 5, 70, -80]]
    assert "divide" in refused("constexpr_blockwise_shift_scale", 18, data=data, scale=floats([[1, 2, 3]]))


def test_sparse_constants() -> None:
    mask = ints([[0, 1, 1], [0, 0, 1]], np.uint8)
    packed = {"mask": ints([0b100110], np.uint8), "shape": ints([2, 3], np.uint32)}
    for ios, given in ((16, packed), (18, {"mask": mask})):
        found = run("constexpr_sparse_to_dense", ios, nonzero_data=floats([7, 8, 9]), **given)
        assert found.tolist() == [[0, 7, 8], [0, 0, 9]]
        assert "places" in refused("constexpr_sparse_to_dense", ios, nonzero_data=floats([7]), **given)
    kept, values = run(
        "constexpr_sparse_blockwise_shift_scale", 18, data_mask=mask, nonzero_data=ints([3, 4, 5], np.int8),
        scale=floats([[1, 2, 3]]), offset=ints([[1, 1, 1]], np.int8),
    )  # fmt: skip
    assert kept.tolist() == mask.tolist()
    assert values.tolist() == [4, 9, 12]
    lut = floats([2, 3, 4, 5]).reshape(1, 1, 2, 2)
    kept, values = run(
        "constexpr_lut_to_sparse", 18, indices_mask=mask, indices_nonzero_data=ints([0, 1, 1], np.uint8),
        lut=lut, vector_axis=0,
    )  # fmt: skip
    assert kept.tolist() == [[0, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]]
    assert values.tolist() == [2, 4, 3, 5, 4, 5]


def test_quantisation() -> None:
    given = {"input": floats([-10, 0.24, 0.26, 10]), "scale": floats(0.5), "output_dtype": "int8"}
    assert run("quantize", 17, **given).tolist() == [-20, 0, 1, 20]
    with_zero = given | {"zero_point": ints(120, np.int8)}
    assert run("quantize", 17, **with_zero).tolist() == [100, 120, 121, 127]
    back = run("dequantize", 17, input=ints([[1], [2]], np.int8), scale=floats([0.5, 2], np.float16), axis=0)
    assert back.dtype == np.float16
    assert back.tolist() == [[0.5], [4]]
    assert "axis" in refused("dequantize", 17, input=ints([1], np.int8), scale=floats([0.5]))


def test_lists() -> None:
    made = run("make_list", init_length=1, elem_shape=(2,), dtype="fp32")
    assert run("list_length", ls=made) == 1
    assert run("list_read", ls=made, index=0).tolist() == [0, 0]
    longer = run("list_write", ls=made, index=2, value=floats([1, 2]))
    assert run("list_length", ls=longer) == 3
    assert run("list_length", ls=made) == 1, "the old list stays"
    scattered = run("list_scatter", ls=longer, indices=[0, 1], value=floats([[3, 4], [5, 6]]))
    assert run("list_gather", ls=scattered, indices=[2, 0, 1]).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert "shape" in refused("list_write", ls=made, index=0, value=floats([1]))
    assert "no element" in refused("list_read", ls=made, index=1)
    fixed = run("make_list", init_length=1, dynamic_length=False, elem_shape=(2,))
    assert "no place" in refused("list_write", ls=fixed, index=1, value=floats([1, 2]))
