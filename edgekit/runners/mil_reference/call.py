"""Calls the function of an op: arguments to parameters, results to the types that the program declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.runners.mil_reference.refusal import Refusal, require
from edgekit.runners.mil_reference.table import Parameter, Row
from edgekit.runners.mil_reference.types import (
    Array,
    DictionaryType,
    Items,
    ListType,
    Runtime,
    State,
    TensorType,
    ValueType,
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A result that is of another float type than the op's tensors."""

    array: Array
    dtype: np.dtype[Any]


def call(row: Row, given: Mapping[str, Sequence[Runtime]]) -> tuple[Runtime, ...]:
    """Calls a function.

    Args:
        row: The op.
        given: Values by parameter.

    Returns:
        The results, floats rounded to the op's type.

    Raises:
        Refusal: If the op has no such parameter, misses one, or refuses a value.
    """
    known = {p.name for p in row.parameters}
    unknown = [name for name in given if name not in known]
    require(not unknown, f"it has no parameter {', '.join(f'`{n}`' for n in unknown)}")
    _check_alike(row, given)
    arguments = {}
    for parameter in row.parameters:
        if parameter.name in given:
            arguments[_keyword(row, parameter)] = _argument(parameter, given[parameter.name])
        else:
            require(parameter.optional, f"its parameter `{parameter.name}` is missing")
    with np.errstate(all="ignore"):
        results = row.function(**arguments)
        several = results if isinstance(results, tuple) else (results,)
        narrow = _float_type(row, given)
        return tuple(_settle(r, narrow) for r in several)


def check(value: Runtime, wanted: ValueType) -> None:
    """Holds a result against the type that the program declares.

    Raises:
        Refusal: If it is of another.
    """
    if not _is_of(value, wanted):
        raise Refusal(f"the result is {describe(value)}, the program says {wanted}")


def _is_of(value: Runtime, wanted: ValueType) -> bool:
    if isinstance(wanted, TensorType):
        return (
            isinstance(value, np.ndarray)
            and value.dtype == wanted.element.carrier
            and wanted.accepts(value.shape)
            and wanted.element.holds(value)
        )
    if isinstance(wanted, ListType):
        return isinstance(value, Items | tuple)
    return isinstance(wanted, DictionaryType) and isinstance(value, dict)


def describe(value: Runtime) -> str:
    """Returns the type of a value in words."""
    if isinstance(value, np.ndarray):
        return f"{'string' if value.dtype.kind == 'O' else value.dtype}{list(value.shape)}"
    return {Items: "a list", State: "a state", dict: "a dictionary"}.get(type(value), "a constant list")


def _check_alike(row: Row, given: Mapping[str, Sequence[Runtime]]) -> None:
    tensors = [v for name in row.alike for v in given.get(name, ()) if isinstance(v, np.ndarray)]
    if len({v.dtype for v in tensors}) > 1:
        names = ", ".join(f"`{name}`" for name in row.alike)
        kinds = ", ".join(sorted({str(v.dtype) for v in tensors}))
        raise Refusal(f"{names} must have one type, they have {kinds}")


def _keyword(row: Row, parameter: Parameter) -> str:
    """Returns the Python name of a parameter whose own name is taken, such as `input_` for `input`."""
    names = row.function.__code__.co_varnames
    return parameter.name if parameter.name in names else f"{parameter.name}_"


def _float_type(row: Row, given: Mapping[str, Sequence[Runtime]]) -> np.dtype[Any] | None:
    for parameter in row.parameters:
        for value in given.get(parameter.name, ()):
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                return value.dtype
    return None


def _settle(result: Any, narrow: np.dtype[Any] | None) -> Runtime:
    if isinstance(result, Typed):
        return np.asarray(result.array).astype(result.dtype)
    if isinstance(result, np.ndarray | np.generic):
        array = np.asarray(result)
        return array.astype(narrow or np.float32) if array.dtype.kind == "f" else array
    kept: Runtime = result
    return kept


def _argument(parameter: Parameter, values: Sequence[Runtime]) -> Any:
    if parameter.kind == "tuple[Array, ...]":
        return tuple(_tensor(parameter, v) for v in values)
    require(len(values) == 1, f"its parameter `{parameter.name}` takes one value, not {len(values)}")
    return _CONVERT[parameter.kind](parameter, values[0])


def _tensor(parameter: Parameter, value: Runtime) -> Array:
    if not isinstance(value, np.ndarray):
        raise Refusal(f"its parameter `{parameter.name}` takes a tensor, not {describe(value)}")
    return value.astype(np.float32) if value.dtype.kind == "f" else value


def _real(parameter: Parameter, value: Runtime) -> Array:
    array = _tensor(parameter, value)
    require(array.dtype.kind == "f", f"its parameter `{parameter.name}` takes floats, not {describe(value)}")
    return array


def _scalar(kinds: str) -> Callable[[Parameter, Runtime], Any]:
    def convert(parameter: Parameter, value: Runtime) -> Any:
        array = _tensor(parameter, value)
        require(array.size == 1 and array.ndim <= 1, f"its parameter `{parameter.name}` takes a scalar")
        require(
            array.dtype.kind in kinds,
            f"its parameter `{parameter.name}` is {describe(value)}: the wrong type",
        )
        return array.reshape(()).item()

    return convert


def _vector(kinds: str) -> Callable[[Parameter, Runtime], Any]:
    def convert(parameter: Parameter, value: Runtime) -> Any:
        array = _tensor(parameter, value)
        require(array.ndim <= 1, f"its parameter `{parameter.name}` takes a vector, not {describe(value)}")
        require(
            array.dtype.kind in kinds,
            f"its parameter `{parameter.name}` is {describe(value)}: the wrong type",
        )
        return tuple(array.reshape(-1).tolist())

    return convert


def _number(parameter: Parameter, value: Runtime) -> Any:
    array = _tensor(parameter, value)
    require(array.size == 1 and array.ndim <= 1, f"its parameter `{parameter.name}` takes a scalar")
    return array.reshape(-1)[0]


def _instance(kind: type, words: str) -> Callable[[Parameter, Runtime], Any]:
    def convert(parameter: Parameter, value: Runtime) -> Any:
        require(
            isinstance(value, kind), f"its parameter `{parameter.name}` takes {words}, not {describe(value)}"
        )
        return value

    return convert


def _any(parameter: Parameter, value: Runtime) -> Any:
    return value


_CONVERT: dict[str, Callable[[Parameter, Runtime], Any]] = {
    "Array": _tensor,
    "Real": _real,
    "int": _scalar("iu"),
    "float": _scalar("fiu"),
    "bool": _scalar("b"),
    "str": _scalar("O"),
    "Ints": _vector("iu"),
    "Bools": _vector("b"),
    "Number": _number,
    "Items": _instance(Items, "a list"),
    "State": _instance(State, "a state"),
    "Labels": _instance(tuple, "a constant list"),
    "Runtime": _any,
}
