"""Reads types and constants of the specification."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.runners.mil_reference.blob import unpack
from edgekit.runners.mil_reference.package import unreadable
from edgekit.runners.mil_reference.types import (
    ELEMENTS,
    Array,
    DictionaryType,
    ListType,
    Runtime,
    StateType,
    TensorType,
    ValueType,
)

ReadBlob = Callable[[str, int, TensorType], Array]
"""`(file, offset, type) -> array`."""

_MOST_CONSTANT = 2**31
_FIELDS = {
    "bool": ("bools",), "string": ("strings",), "fp32": ("floats",), "fp64": ("doubles",),
    "int64": ("longInts",), "uint64": ("longInts",), "int32": ("ints",), "uint32": ("bytes", "ints"),
    "int16": ("ints", "bytes"), "uint16": ("ints", "bytes"),
}  # fmt: skip
"""Which fields may hold the elements of a type; `bytes` for all others."""


def read_type(message: Any) -> ValueType:
    """Reads a `ValueType`.

    Raises:
        EdgekitError: EK507 for a type that is malformed or not supported.
    """
    kind = message.WhichOneof("type")
    if kind == "tensorType":
        return _tensor_type(message.tensorType)
    if kind == "listType":
        length = message.listType.length
        known = int(length.constant.size) if length.WhichOneof("dimension") == "constant" else None
        return ListType(read_type(message.listType.type), known)
    if kind == "dictionaryType":
        pair = message.dictionaryType
        return DictionaryType(read_type(pair.keyType), read_type(pair.valueType))
    if kind == "stateType":
        wrapped = read_type(message.stateType.wrappedType)
        if isinstance(wrapped, TensorType):
            return StateType(wrapped)
    raise unreadable(f"the program has a value of the type `{kind}`, which is not supported")


def _tensor_type(message: Any) -> TensorType:
    element = ELEMENTS.get(message.dataType)
    if element is None:
        raise unreadable(
            f"the program has a tensor of the data type {message.dataType}, which is not supported"
        )
    kinds = [d.WhichOneof("dimension") for d in message.dimensions]
    if message.rank < 0 or any(
        k == "unknown" and d.unknown.variadic for k, d in zip(kinds, message.dimensions, strict=True)
    ):
        return TensorType(element, None)
    if message.rank != len(kinds) or None in kinds:
        raise unreadable(f"the program has a tensor of rank {message.rank} with {len(kinds)} sizes")
    shape = tuple(
        int(d.constant.size) if k == "constant" else None
        for k, d in zip(kinds, message.dimensions, strict=True)
    )
    return TensorType(element, shape)


def read_value(message: Any, blob: ReadBlob) -> tuple[ValueType, Runtime]:
    """Reads a `Value`, a constant.

    Args:
        message: The message.
        blob: Reads a tensor from a file of weights.

    Returns:
        Its type and its value: an array, a tuple for a list, or a dictionary.

    Raises:
        EdgekitError: EK507 if type and value contradict each other.
    """
    kind = read_type(message.type)
    if message.WhichOneof("value") == "blobFileValue":
        if not isinstance(kind, TensorType):
            raise unreadable(f"the program keeps a {kind} in a file of weights")
        _count(kind)
        where = message.blobFileValue
        return kind, blob(where.fileName, int(where.offset), kind)
    immediate = message.immediateValue
    held = immediate.WhichOneof("value") if message.WhichOneof("value") == "immediateValue" else None
    if isinstance(kind, TensorType) and held == "tensor":
        return kind, _tensor(immediate.tensor, kind)
    if isinstance(kind, ListType) and held == "list":
        return kind, tuple(_item(v, kind.item, blob) for v in immediate.list.values)
    if isinstance(kind, DictionaryType) and held == "dictionary":
        pairs = immediate.dictionary.values
        keys = [_item(p.key, kind.key, blob) for p in pairs]
        if not all(isinstance(k, np.ndarray) and k.ndim == 0 for k in keys):
            raise unreadable("the program has a dictionary whose keys are no scalars")
        return kind, {k.item(): _item(p.value, kind.value, blob) for k, p in zip(keys, pairs, strict=True)}  # type: ignore[union-attr]
    raise unreadable(f"the program has a constant of the type {kind} that holds {held or 'nothing'}")


def _item(message: Any, wanted: ValueType, blob: ReadBlob) -> Runtime:
    kind, value = read_value(message, blob)
    if kind != wanted:
        raise unreadable(f"the program has a {kind} in a collection of {wanted}")
    return value


def _tensor(message: Any, kind: TensorType) -> Array:
    count, field, element = _count(kind), message.WhichOneof("value"), kind.element
    if field not in _FIELDS.get(element.name, ("bytes",)):
        raise unreadable(f"the program has a constant of the type {kind} that holds {field or 'nothing'}")
    values = getattr(message, field).values
    try:
        array = _from_bytes(values, kind, count) if field == "bytes" else _from_numbers(values, kind)
        return array.reshape(_sizes(kind))
    except (ValueError, OverflowError) as problem:
        raise unreadable(
            f"the program has a constant of the type {kind} that holds {len(values)} values"
        ) from problem


def _from_bytes(raw: bytes, kind: TensorType, count: int) -> Array:
    element = kind.element
    if element.bits < 8:
        if len(raw) != -(-count * element.bits // 8):
            raise ValueError("size")
        return unpack(np.frombuffer(raw, np.uint8), count, element.bits, signed=element.is_signed)
    return np.frombuffer(raw, element.carrier.newbyteorder("<")).astype(element.carrier)


def _from_numbers(values: Any, kind: TensorType) -> Array:
    if kind.element.name == "string":
        text = np.empty(len(values), object)
        text[:] = [str(v) for v in values]
        return text
    wide = np.array(values, np.int64) if kind.element.carrier.kind in "iu" else np.array(values)
    array = wide.astype(kind.element.carrier)
    if kind.element.carrier.kind in "iu" and kind.element.bits < 64 and not np.array_equal(array, wide):
        raise ValueError("range")
    return array


def _count(kind: TensorType) -> int:
    if kind.shape is None or None in kind.shape:
        raise unreadable(f"the program has a constant of the type {kind}, whose size is open")
    count = math.prod(_sizes(kind))
    if count > _MOST_CONSTANT:
        raise unreadable(
            f"the program has a constant of the type {kind}, more than {_MOST_CONSTANT} elements"
        )
    return count


def _sizes(kind: TensorType) -> tuple[int, ...]:
    return tuple(s or 0 for s in kind.shape or ())
