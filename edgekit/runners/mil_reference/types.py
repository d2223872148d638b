"""Types of the values of a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Element:
    """The type of a tensor's elements.

    Attributes:
        name: As ops spell it, such as `fp16`.
        carrier: The numpy dtype that holds the elements here.
        bits: Their width.
    """

    name: str
    carrier: np.dtype[Any]
    bits: int

    @property
    def is_signed(self) -> bool:
        """Whether there are negative numbers."""
        return self.carrier.kind in "if"

    def holds(self, array: Array) -> bool:
        """Tells whether values that the carrier can hold are values of this type."""
        if self.carrier.kind not in "iu" or self.bits == self.carrier.itemsize * 8 or array.size == 0:
            return True
        low, high = (
            (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.is_signed else (0, (1 << self.bits) - 1)
        )
        return bool(low <= array.min() and array.max() <= high)


def _element(name: str, carrier: Any, bits: int | None = None) -> Element:
    dtype = np.dtype(carrier)
    return Element(name, dtype, dtype.itemsize * 8 if bits is None else bits)


ELEMENTS = {
    1: _element("bool", np.bool_),
    2: _element("string", object),
    10: _element("fp16", np.float16),
    11: _element("fp32", np.float32),
    12: _element("fp64", np.float64),
    21: _element("int8", np.int8),
    22: _element("int16", np.int16),
    23: _element("int32", np.int32),
    24: _element("int64", np.int64),
    25: _element("int4", np.int8, 4),
    31: _element("uint8", np.uint8),
    32: _element("uint16", np.uint16),
    33: _element("uint32", np.uint32),
    34: _element("uint64", np.uint64),
    35: _element("uint4", np.uint8, 4),
    36: _element("uint2", np.uint8, 2),
    37: _element("uint1", np.uint8, 1),
    38: _element("uint6", np.uint8, 6),
    39: _element("uint3", np.uint8, 3),
}
"""By their numbers in the specification. Types of 8-bit floats and bfloat16 are not among them."""

NAMED = {element.name: element for element in ELEMENTS.values()}


@dataclass(frozen=True, slots=True)
class TensorType:
    """Elements and sizes.

    Attributes:
        element: The type of the elements.
        shape: `None` where a size is known only at run time. `None` in all: unknown rank.
    """

    element: Element
    shape: tuple[int | None, ...] | None

    def accepts(self, shape: Sequence[int]) -> bool:
        """Tells whether a tensor of a shape is of this type."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            w is None or w == s for w, s in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.element.name} of any rank"
        return f"{self.element.name}[{', '.join('?' if s is None else str(s) for s in self.shape)}]"


@dataclass(frozen=True, slots=True)
class ListType:
    """A list of values of one type; `length` is `None` where it is not stated."""

    item: ValueType
    length: int | None = None

    def __str__(self) -> str:
        return f"list of {self.item}"


@dataclass(frozen=True, slots=True)
class DictionaryType:
    """Values of one type by keys of another."""

    key: ValueType
    value: ValueType

    def __str__(self) -> str:
        return f"dictionary of {self.value} by {self.key}"


@dataclass(frozen=True, slots=True)
class StateType:
    """A value that ops can change."""

    wrapped: TensorType

    def __str__(self) -> str:
        return f"state of {self.wrapped}"


ValueType = TensorType | ListType | DictionaryType | StateType


@dataclass(slots=True)
class State:
    """A state of a run and what it holds."""

    value: Array


@dataclass(frozen=True, slots=True)
class Items:
    """A list at run time; writing to it gives a new one.

    Attributes:
        values: The elements; `None` where nothing was written yet.
        shape: The shape of the elements; `None` where a size is known only at run time.
        dtype: Their dtype.
        grows: Whether writing beyond the end makes it longer.
    """

    values: tuple[Array | None, ...]
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    grows: bool


Runtime = Array | Items | State | dict[Any, Any] | tuple[Any, ...]
"""What a name stands for while a program runs; a tuple is a list of constants."""
