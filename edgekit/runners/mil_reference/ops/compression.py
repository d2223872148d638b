"""Constants that are stored compressed: quantised, as indices into tables, or without their zeros."""

from __future__ import annotations

import math

import numpy as np

from edgekit.runners.mil_reference.blob import unpack
from edgekit.runners.mil_reference.call import Typed
from edgekit.runners.mil_reference.ops.axes import normal
from edgekit.runners.mil_reference.ops.quantization import affine
from edgekit.runners.mil_reference.refusal import claim, require
from edgekit.runners.mil_reference.table import Ints, evaluates
from edgekit.runners.mil_reference.types import Array

_BITS = {2: 1, 4: 2, 8: 3, 16: 4, 64: 6, 256: 8}
"""Width of the indices by size of the table."""


@evaluates("constexpr_affine_dequantize", since=16)
def constexpr_affine_dequantize(quantized_data: Array, scale: Array, zero_point: Array, axis: int) -> Array:
    """Returns `scale * (quantized_data - zero_point)`."""
    require(quantized_data.dtype.name in ("int8", "uint8"), f"`quantized_data` is {quantized_data.dtype}")
    return affine(quantized_data, scale, zero_point, axis)


@evaluates("constexpr_cast", since=16)
def constexpr_cast(source_val: Array, output_dtype: str) -> Typed:
    """Widens float16 to float32."""
    require(output_dtype == "fp32", f"`output_dtype` is `{output_dtype}`")
    return Typed(source_val, np.dtype(np.float32))


@evaluates("constexpr_lut_to_dense", since=16)
def constexpr_lut_to_dense_16(indices: Array, lut: Array, shape: Ints) -> Array:
    """Looks up packed indices in one table."""
    require(
        lut.ndim == 1 and len(lut) in _BITS and len(lut) != 8, f"the table has the shape {list(lut.shape)}"
    )
    require(indices.dtype == np.uint8 and indices.ndim == 1, "the indices are no vector of uint8")
    count, bits = math.prod(claim(shape)), _BITS[len(lut)]
    require(
        len(indices) == -(-count * bits // 8),
        f"{len(indices)} bytes do not hold {count} indices of {bits} bits",
    )
    return lut[unpack(indices, count, bits, signed=False)].reshape(shape)


@evaluates("constexpr_sparse_to_dense", since=16)
def constexpr_sparse_to_dense_16(nonzero_data: Array, mask: Array, shape: Ints) -> Array:
    """Puts elements where the bits of a mask are set."""
    count = math.prod(claim(shape))
    require(
        mask.dtype == np.uint8 and mask.shape == (-(-count // 8),),
        f"`mask` is {mask.dtype}{list(mask.shape)}",
    )
    return _dense(nonzero_data, unpack(mask, count, 1, signed=False).reshape(shape))


@evaluates("constexpr_blockwise_shift_scale", since=18)
def constexpr_blockwise_shift_scale(scale: Array, data: Array, offset: Array | None = None) -> Array:
    """Returns `scale * (data - offset)`, each block by its own numbers."""
    require(offset is None or offset.shape == scale.shape, "`offset` does not have the shape of `scale`")
    centred = data.astype(np.float32)
    if offset is not None:
        centred = centred - _blocks(offset.astype(np.float32), data.shape)
    return _blocks(scale, data.shape) * centred


@evaluates("constexpr_lut_to_dense", since=18)
def constexpr_lut_to_dense_18(indices: Array, lut: Array, vector_axis: int | None = None) -> Array:
    """Looks up indices in tables, one for each block; an entry is a number or a vector along an axis."""
    found = _looked_up(indices, lut)
    if lut.shape[-1] == 1:
        return found[..., 0]
    axis = _vector_axis(vector_axis, indices.ndim)
    joined = np.moveaxis(found, -1, axis + 1)
    return joined.reshape(*indices.shape[:axis], -1, *indices.shape[axis + 1 :])


@evaluates("constexpr_sparse_to_dense", since=18)
def constexpr_sparse_to_dense_18(nonzero_data: Array, mask: Array) -> Array:
    """Puts elements where a mask is 1."""
    return _dense(nonzero_data, mask)


@evaluates("constexpr_lut_to_sparse", since=18)
def constexpr_lut_to_sparse(
    indices_mask: Array, indices_nonzero_data: Array, lut: Array, vector_axis: int | None = None
) -> tuple[Array, Array]:
    """Looks up the indices of a sparse tensor; gives the mask and the elements of the result."""
    dense = _dense(indices_nonzero_data, indices_mask)
    mask = indices_mask
    if lut.shape[-1] > 1:
        mask = np.repeat(mask, lut.shape[-1], _vector_axis(vector_axis, dense.ndim))
    return mask, constexpr_lut_to_dense_18(dense, lut, vector_axis)[mask == 1]


@evaluates("constexpr_sparse_blockwise_shift_scale", since=18)
def constexpr_sparse_blockwise_shift_scale(
    scale: Array, data_mask: Array, nonzero_data: Array, offset: Array | None = None
) -> tuple[Array, Array]:
    """Scales the elements of a sparse tensor; gives the mask and the elements of the result."""
    dense = _dense(nonzero_data, data_mask)
    return data_mask, constexpr_blockwise_shift_scale(scale, dense, offset)[data_mask == 1]


def _dense(data: Array, mask: Array) -> Array:
    require(mask.dtype == np.uint8 and bool(np.all(mask <= 1)), "the mask is not of bits")
    count = int(mask.sum(dtype=np.int64))
    require(data.shape == (count,), f"the mask has {count} places for {list(data.shape)} elements")
    result = np.zeros(mask.shape, data.dtype)
    result[mask == 1] = data
    return result


def _blocks(factor: Array, shape: tuple[int, ...]) -> Array:
    """Repeats each number over its block."""
    fits = factor.ndim == len(shape) and all(
        f > 0 and s % f == 0 for f, s in zip(factor.shape, shape, strict=True)
    )
    require(fits, f"blocks {list(factor.shape)} do not divide {list(shape)}")
    for axis, size in enumerate(shape):
        factor = np.repeat(factor, size // factor.shape[axis], axis)
    return factor


def _looked_up(indices: Array, lut: Array) -> Array:
    """Returns `[*indices.shape, vector]`."""
    require(
        lut.ndim == indices.ndim + 2 and lut.shape[-2] in _BITS,
        f"the tables have the shape {list(lut.shape)}",
    )
    require(
        indices.dtype == np.uint8 and bool(np.all(indices < lut.shape[-2])),
        "an index lies outside of its table",
    )
    groups = lut.shape[:-2]
    fits = all(g > 0 and s % g == 0 for g, s in zip(groups, indices.shape, strict=True))
    require(fits, f"tables {list(groups)} do not divide {list(indices.shape)}")
    claim((*indices.shape, lut.shape[-1]))
    block = [s // g for s, g in zip(indices.shape, groups, strict=True)]
    where = np.ogrid[tuple(map(slice, indices.shape))]
    return np.asarray(lut[(*(w // b for w, b in zip(where, block, strict=True)), indices)])


def _vector_axis(axis: int | None, rank: int) -> int:
    require(axis is not None, "`vector_axis` is missing")
    return normal(axis or 0, rank)
