"""What a model takes and gives: the features of its description, and how they become values of its program.

An image is an array `[1, channels, height, width]` of its pixels, uint8 (float16 for half-precision grey);
its channels are red, green, blue, whatever the model declares: a picture has no other order. The program
gets them in the order of the colour space that the model declares; scaling is done by its ops. How a device
rounds an image that is an output is not specified: here to nearest, bounded to 0 and 255. A dictionary of
probabilities is a vector, with the labels of its elements beside it (`labels_name`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.diagnostics import error
from edgekit.runners.base import Port
from edgekit.runners.labels import labels_name
from edgekit.runners.mil_reference.package import unreadable
from edgekit.runners.mil_reference.program import Function
from edgekit.runners.mil_reference.types import Array, Runtime, State, StateType, TensorType

_ARRAY_TYPES = {65568: np.float32, 131104: np.int32, 131080: np.int8, 65552: np.float16}
_BLUE_FIRST = 30
_CHANNELS = {10: (1, np.uint8), 20: (3, np.uint8), _BLUE_FIRST: (3, np.uint8), 40: (1, np.float16)}
"""Channels and pixels by colour space."""


class Kind(enum.Enum):
    """What a feature is to the program."""

    ARRAY = enum.auto()
    IMAGE = enum.auto()
    LABEL = enum.auto()
    PROBABILITIES = enum.auto()


@dataclass(frozen=True, slots=True)
class Feature:
    """An input or output.

    Attributes:
        name: The name of the feature and of the value in the program.
        kind: What it is.
        dtype: The dtype of its arrays.
        shape: Sizes; `None` where the caller chooses. `None` in all: only known at run time.
        choices: Shapes of which it must be one, where those are listed.
        ranges: Smallest and largest size of each axis, -1 for any, where those are stated.
        default: What an optional input is when it is not given.
        blue_first: Whether the program has the channels of an image in the order blue, green, red.
    """

    name: str
    kind: Kind
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None
    choices: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    default: float | None = None
    blue_first: bool = False

    def ordered(self, array: Array) -> Array:
        """Exchanges red and blue of an image where the program has them the other way round."""
        return array[:, ::-1] if self.blue_first else array

    @property
    def port(self) -> Port:
        """How a runner shows it."""
        return Port(self.name, self.dtype, self.shape)

    def check(self, shape: tuple[int, ...]) -> None:
        """Holds the shape of what the caller gives against what is allowed.

        Raises:
            EdgekitError: EK505 if it is none of the listed ones, or beyond the range.
        """
        listed = not self.choices or shape in self.choices
        ranged = all(
            low <= s and (high < 0 or s <= high) for s, (low, high) in zip(shape, self.ranges, strict=False)
        )
        if not listed or not ranged:
            allowed = [list(c) for c in self.choices] if self.choices else [list(r) for r in self.ranges]
            raise error(
                "EK505",
                f"the input `{self.name}` has the shape {list(shape)}, which the model does not allow",
                notes=(f"{'allowed' if self.choices else 'smallest and largest sizes'}: {allowed}",),
            )


@dataclass(frozen=True, slots=True)
class Interface:
    """What a function of a model takes and gives."""

    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    states: tuple[Feature, ...] = ()


def function_name(description: Any, wanted: str | None) -> str:
    """Returns the function that is meant: the wanted one, else the model's default, else `main`."""
    return wanted or description.defaultFunctionName or "main"


def read_interface(description: Any, name: str, function: Function) -> Interface:
    """Reads the features of a function and holds them against its inputs and outputs.

    Args:
        description: The message `ModelDescription`.
        name: The function.
        function: The same, read from the program.

    Raises:
        EdgekitError: EK507 if description and program contradict each other; EK503 for a kind of feature
            that is not supported.
    """
    described = next((f for f in description.functions if f.name == name), None)
    if described is None and description.functions:
        raise unreadable(f"the description of the model has no function `{name}`")
    source = description if described is None else described
    inputs, outputs = tuple(map(_feature, source.input)), tuple(map(_feature, source.output))
    states = {i.name for i in function.inputs if isinstance(i.type, StateType)}
    _same("inputs", [f.name for f in inputs], [i.name for i in function.inputs if i.name not in states])
    _same("states", [f.name for f in source.state], sorted(states))
    _same("outputs", [f.name for f in outputs], function.block.outputs)
    types = {i.name: i.type for i in function.inputs}
    for feature in inputs:
        _check_input(feature, types[feature.name])
    return Interface(inputs, outputs, tuple(map(_feature, source.state)))


def to_program(
    interface: Interface, function: Function, arrays: Mapping[str, Array], states: Mapping[str, State]
) -> dict[str, Runtime]:
    """Makes the values of a function's inputs.

    Args:
        interface: Its features.
        function: The function.
        arrays: What the caller gives, checked.
        states: What it keeps from one run to the next.
    """
    values: dict[str, Runtime] = {}
    kinds = {f.name: f for f in interface.inputs}
    for named in function.inputs:
        if isinstance(named.type, StateType):
            values[named.name] = states[named.name]
        elif isinstance(named.type, TensorType):
            feature = kinds[named.name]
            feature.check(arrays[named.name].shape)
            values[named.name] = feature.ordered(arrays[named.name]).astype(named.type.element.carrier)
    return values


def fresh_states(function: Function) -> dict[str, State]:
    """Returns the states of a function as a device makes them: zeros."""
    return {
        named.name: State(np.zeros([s or 1 for s in held.shape or ()], held.element.carrier))
        for named in function.inputs
        if isinstance(named.type, StateType) and (held := named.type.wrapped)
    }


def from_program(interface: Interface, values: Mapping[str, Runtime]) -> dict[str, Array]:
    """Makes the arrays of the outputs.

    Raises:
        EdgekitError: EK507 if a value is not what the description says.
    """
    results = {f.name: _output(f, values[f.name]) for f in interface.outputs}
    for feature in interface.outputs:
        held = values[feature.name]
        if isinstance(held, dict):
            results[labels_name(feature.name)] = np.array([str(key) for key in held], object)
    return results


def _output(feature: Feature, value: Runtime) -> Array:
    if feature.kind is Kind.PROBABILITIES and isinstance(value, dict):
        return np.array(list(value.values()), feature.dtype)
    if feature.kind is Kind.IMAGE and isinstance(value, np.ndarray) and feature.dtype == np.uint8:
        value = np.clip(np.round(np.nan_to_num(value.astype(np.float32))), 0, 255).astype(np.uint8)
    same = isinstance(value, np.ndarray) and value.dtype == feature.dtype
    if not isinstance(value, np.ndarray) or not same or not _fits(value.shape, feature.shape):
        held = f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else "no tensor"
        raise unreadable(f"the output `{feature.name}` is {held}, the description says {feature.port}")
    return np.array(feature.ordered(value))


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...] | None) -> bool:
    return wanted is None or (
        len(shape) == len(wanted) and all(w is None or w == s for s, w in zip(shape, wanted, strict=True))
    )


def _same(side: str, described: list[str], held: Any) -> None:
    if sorted(described) != sorted(held):
        raise unreadable(f"the description of the model has the {side} {described}, its program {list(held)}")


def _check_input(feature: Feature, kind: Any) -> None:
    """Holds an input of the description against the program's.

    Raises:
        EdgekitError: EK507 if they contradict each other.
    """
    if not isinstance(kind, TensorType):
        raise unreadable(f"the input `{feature.name}` is a {kind} in the program")
    carrier = kind.element.carrier
    fits = carrier.kind == "f" if feature.kind is Kind.IMAGE else carrier == feature.dtype
    if kind.shape is not None and feature.shape is not None:
        fits = fits and len(kind.shape) == len(feature.shape)
        fits = fits and all(
            k is None or s in (None, k) for k, s in zip(kind.shape, feature.shape, strict=False)
        )
    if not fits:
        raise unreadable(
            f"the input `{feature.name}` is {kind} in the program, the description says {feature.port}"
        )


def _feature(message: Any) -> Feature:
    kind = message.type.WhichOneof("Type")
    if kind == "multiArrayType":
        return _array(message.name, message.type.multiArrayType, message.type.isOptional)
    if kind == "imageType":
        return _image(message.name, message.type.imageType)
    if kind in ("stringType", "int64Type"):
        return Feature(message.name, Kind.LABEL, np.dtype(object if kind == "stringType" else np.int64), ())
    if kind == "dictionaryType":
        return Feature(message.name, Kind.PROBABILITIES, np.dtype(np.float32), (None,))
    if kind == "stateType":
        return _array(message.name, message.type.stateType.arrayType, False)
    raise error("EK503", f"the feature `{message.name}` is a `{kind}`, which is not supported")


def _array(name: str, message: Any, optional: bool) -> Feature:
    if message.dataType not in _ARRAY_TYPES:
        raise error(
            "EK503", f"the array `{name}` has the data type {message.dataType}, which is not supported"
        )
    dtype = np.dtype(_ARRAY_TYPES[message.dataType])
    flexibility = message.WhichOneof("ShapeFlexibility")
    given = message.WhichOneof("defaultOptionalValue")
    default = float(getattr(message, given)) if given else 0.0
    shape: tuple[int | None, ...] | None = tuple(message.shape) or None  # none is written of open sizes
    choices = tuple(tuple(s.shape) for s in message.enumeratedShapes.shapes)
    ranges = tuple((int(r.lowerBound), int(r.upperBound)) for r in message.shapeRange.sizeRanges)
    if flexibility == "enumeratedShapes":
        if not choices or len({len(c) for c in choices}) != 1:
            raise unreadable(f"the array `{name}` lists no shapes of one rank")
        shape = tuple(s[0] if len(set(s)) == 1 else None for s in zip(*choices, strict=True))
    elif flexibility == "shapeRange":
        shape = tuple(low if low == high else None for low, high in ranges)
    return Feature(name, Kind.ARRAY, dtype, shape, choices, ranges, default if optional else None)


def _image(name: str, message: Any) -> Feature:
    if message.colorSpace not in _CHANNELS:
        raise error(
            "EK503", f"the image `{name}` has the colour space {message.colorSpace}, which is not supported"
        )
    channels, pixel = _CHANNELS[message.colorSpace]
    flexibility = message.WhichOneof("SizeFlexibility")
    sides: tuple[int | None, ...] = (int(message.height), int(message.width))
    choices: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    if flexibility == "enumeratedSizes":
        choices = tuple((1, channels, int(s.height), int(s.width)) for s in message.enumeratedSizes.sizes)
        sides = (None, None)
    elif flexibility == "imageSizeRange":
        both = message.imageSizeRange.heightRange, message.imageSizeRange.widthRange
        ranges = ((1, 1), (channels, channels), *((int(s.lowerBound), int(s.upperBound)) for s in both))
        sides = (None, None)
    shape = (1, channels, *sides)
    blue_first = message.colorSpace == _BLUE_FIRST
    return Feature(name, Kind.IMAGE, np.dtype(pixel), shape, choices, ranges, blue_first=blue_first)
