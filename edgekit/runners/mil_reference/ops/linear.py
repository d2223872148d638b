"""Products of matrices."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.ops.axes import along
from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("linear", alike=("x", "weight", "bias"))
def linear_15(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiplies by a transposed matrix; see `linear`."""
    return np.asarray(linear(x, weight, bias))


@evaluates("linear", since=17, alike=("weight", "bias"))
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiplies `[*, K]` by the transpose of `[M, K]` and adds `[M]`."""
    require(weight.ndim == 2, f"the weight has the rank {weight.ndim}")
    require(x.ndim >= 1 and x.shape[-1] == weight.shape[1], f"x {list(x.shape)}, weight {list(weight.shape)}")
    require(x.dtype.kind == "f" or weight.dtype.kind != "f", f"x is {x.dtype}, the weight {weight.dtype}")
    product = x @ weight.T.astype(x.dtype)
    if bias is None:
        return np.asarray(product)
    require(bias.shape == (weight.shape[0],), f"the bias has the shape {list(bias.shape)}")
    return np.asarray(product + along(bias.astype(x.dtype), product.ndim - 1, product.ndim))


@evaluates("matmul", alike=("x", "y"))
def matmul_15(x: Array, y: Array, transpose_x: bool = False, transpose_y: bool = False) -> Array:
    """Multiplies matrices; see `matmul`."""
    return np.asarray(matmul(x, y, transpose_x, transpose_y))


@evaluates("matmul", since=17)
def matmul(x: Array, y: Array, transpose_x: bool = False, transpose_y: bool = False) -> Array:
    """Multiplies matrices in the last two axes; a vector is not transposed.

    Types may differ if one tensor is constant, and the result has that of the other. Here it has the first
    float type; where a constant `x` is of the other one, that is not what the program declares.
    """
    require(x.ndim >= 1 and y.ndim >= 1, "it takes no scalars")
    kind = np.float32 if "f" in (x.dtype.kind, y.dtype.kind) else x.dtype
    x, y = x.astype(kind), y.astype(kind)
    a = x.swapaxes(-1, -2) if transpose_x and x.ndim > 1 else x
    b = y.swapaxes(-1, -2) if transpose_y and y.ndim > 1 else y
    return np.asarray(a @ b)


@evaluates("einsum", alike=("values",))
def einsum(values: tuple[Array, ...], equation: str) -> Array:
    """Sums products over one axis; the other axes are batches that broadcast."""
    require(len(values) == 2, f"it takes 2 tensors, not {len(values)}")
    x, y = values
    sides, arrow, out = equation.replace(" ", "").partition("->")
    left, comma, right = sides.partition(",")
    pattern = _numbered(left), _numbered(left, right), _numbered(left, right, out)
    known = {"nchw": ((0, 1, 2, 3), (0, 3, 2, 4), (0, 1, 2, 4)), "chw": ((0, 1, 2), (2, 1, 3), (0, 1, 3))}
    supported = arrow and comma and any(pattern == k for k in known.values())
    require(bool(supported), f"the equation `{equation}` is none of `nchw,nwhu->nchu` and `chw,whr->chr`")
    require(x.ndim == y.ndim == len(left), "the tensors do not have the ranks of the equation")
    require(x.shape[-1] == y.shape[-3], f"the tensors have the shapes {list(x.shape)} and {list(y.shape)}")
    # `c` and `w` become the last two axes, `h` a batch.
    product = x.swapaxes(-2, -3) @ y.swapaxes(-2, -3)
    return np.asarray(product.swapaxes(-2, -3))


def _numbered(*terms: str) -> tuple[int, ...]:
    """Returns the letters of the last term by the order in which letters come up in all."""
    order = {letter: i for i, letter in enumerate(dict.fromkeys("".join(terms)))}
    return tuple(order[letter] for letter in terms[-1])
