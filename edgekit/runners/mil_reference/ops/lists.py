"""Lists of tensors. Writing gives a new list; a place that was never written holds zeros."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.call import Typed
from edgekit.runners.mil_reference.refusal import Refusal, claim, require
from edgekit.runners.mil_reference.table import Ints, evaluates
from edgekit.runners.mil_reference.types import NAMED, Array, Items, Runtime

_LONGEST = 2**20


@evaluates("make_list")
def make_list(
    elem_shape: tuple[Array, ...], init_length: int = 1, dynamic_length: bool = True, dtype: str = "fp32"
) -> Items:
    """Makes a list without elements in its places; a size that is text is known only at run time."""
    require(0 <= init_length <= _LONGEST, f"`init_length` is {init_length}")
    require(dtype in ("bool", "fp16", "fp32", "int32"), f"`dtype` is `{dtype}`")
    sizes = [s for part in elem_shape for s in part.reshape(-1).tolist()]
    shape = tuple(None if isinstance(s, str) else int(s) for s in sizes)
    return Items((None,) * init_length, shape, NAMED[dtype].carrier, dynamic_length)


@evaluates("list_length")
def list_length(ls: Items) -> Array:
    """Counts the places."""
    return np.array(len(ls.values), np.int32)


@evaluates("list_read")
def list_read(ls: Items, index: int) -> Typed:
    """Reads one element."""
    return Typed(_element(ls, index), ls.dtype)


@evaluates("list_gather")
def list_gather(ls: Items, indices: Ints) -> Typed:
    """Reads several elements into one tensor."""
    require(len(indices) > 0, "it gathers nothing, whose shape is not known")
    return Typed(np.stack([_element(ls, i) for i in indices]), ls.dtype)


@evaluates("list_write")
def list_write(ls: Items, index: int, value: Runtime) -> Items:
    """Writes one element."""
    return _written(ls, [(index, value)])


@evaluates("list_scatter")
def list_scatter(ls: Items, indices: Ints, value: Runtime) -> Items:
    """Writes several elements."""
    if not isinstance(value, np.ndarray) or value.ndim == 0 or len(value) != len(indices):
        raise Refusal("there is not one value for each index")
    return _written(ls, list(zip(indices, value, strict=True)))


def _element(ls: Items, index: int) -> Array:
    require(0 <= index < len(ls.values), f"there is no element {index} among {len(ls.values)}")
    value = ls.values[index]
    if value is not None:
        return value
    sizes = [s for s in ls.shape if s is not None]
    require(len(sizes) == len(ls.shape), f"the element {index} was never written, and its shape is open")
    return np.zeros(claim(sizes), ls.dtype)


def _written(ls: Items, pairs: list[tuple[int, Runtime]]) -> Items:
    values = list(ls.values)
    for index, value in pairs:
        if not isinstance(value, np.ndarray | np.generic) or value.dtype != ls.dtype:
            raise Refusal(f"it takes tensors of {ls.dtype}")
        array = np.asarray(value)
        fits = len(array.shape) == len(ls.shape) and all(
            w is None or w == s for s, w in zip(array.shape, ls.shape, strict=True)
        )
        require(fits, f"it takes tensors of the shape {list(ls.shape)}, not {list(array.shape)}")
        require(0 <= index < (_LONGEST if ls.grows else len(values)), f"there is no place {index}")
        values += [None] * (index + 1 - len(values))
        values[index] = array
    return Items(tuple(values), ls.shape, ls.dtype, ls.grows)
