"""The ML Program of a package as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.diagnostics import error
from edgekit.runners.mil_reference.package import unreadable
from edgekit.runners.mil_reference.types import Runtime, ValueType
from edgekit.runners.mil_reference.values import ReadBlob, read_type, read_value

OPSETS = {"CoreML5": 15, "CoreML6": 16, "CoreML7": 17, "CoreML8": 18}
"""Opsets and the iOS versions that brought them."""


@dataclass(frozen=True, slots=True)
class Named:
    """A value's name and type."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Reference:
    """An argument that another op or an input gives."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """An argument that stands in the op itself."""

    type: ValueType
    value: Runtime


Argument = Reference | Constant


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation.

    Attributes:
        type: Its name in the opset.
        inputs: Arguments by parameter; more than one for a parameter that takes a tuple.
        outputs: What it gives.
        blocks: Programs inside of it, such as the branches of a `cond`.
    """

    type: str
    inputs: Mapping[str, tuple[Argument, ...]]
    outputs: tuple[Named, ...]
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        """The name of its first output."""
        return self.outputs[0].name if self.outputs else ""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Ops in the order in which they run."""

    inputs: tuple[Named, ...]
    outputs: tuple[str, ...]
    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of a program; its inputs are those of the block too.

    Attributes:
        ios: The iOS version whose op definitions hold.
        inputs: What it takes.
        block: What it does.
    """

    ios: int
    inputs: tuple[Named, ...]
    block: Block


def read_function(message: Any, name: str, blob: ReadBlob) -> Function:
    """Reads a function of a `Program`.

    Args:
        message: The message.
        name: The function.
        blob: Reads a tensor from a file of weights.

    Raises:
        EdgekitError: EK507 if the program is malformed; EK503 for another opset.
    """
    if message.version != 1:
        raise unreadable(f"the program has the version {message.version} instead of 1")
    if name not in message.functions:
        known = ", ".join(f"`{n}`" for n in sorted(message.functions)) or "none"
        raise unreadable(f"the program has no function `{name}`", f"its functions: {known}")
    function = message.functions[name]
    if function.opset not in OPSETS:
        known = ", ".join(f"`{n}`" for n in OPSETS)
        raise error(
            "EK503", f"the function `{name}` needs the opset `{function.opset}`", notes=(f"known: {known}",)
        )
    if function.opset not in function.block_specializations:
        raise unreadable(f"the function `{name}` has no block for its opset `{function.opset}`")
    inputs = _named(function.inputs)
    block = _block(function.block_specializations[function.opset], blob)
    if not block.outputs:
        raise unreadable(f"the function `{name}` gives no output")
    _check_names(block, {i.name for i in inputs})
    return Function(OPSETS[function.opset], inputs, block)


def _named(messages: Any) -> tuple[Named, ...]:
    return tuple(Named(m.name, read_type(m.type)) for m in messages)


def _block(message: Any, blob: ReadBlob) -> Block:
    ops = tuple(_op(m, blob) for m in message.operations)
    return Block(_named(message.inputs), tuple(message.outputs), ops)


def _op(message: Any, blob: ReadBlob) -> Op:
    inputs = {name: _arguments(argument, blob) for name, argument in sorted(message.inputs.items())}
    for name, value in message.attributes.items():
        if name == "name":
            continue
        if name in inputs:
            raise unreadable(f"the op `{message.type}` is given `{name}` twice")
        inputs[name] = (Constant(*read_value(value, blob)),)
    return Op(message.type, inputs, _named(message.outputs), tuple(_block(b, blob) for b in message.blocks))


def _arguments(message: Any, blob: ReadBlob) -> tuple[Argument, ...]:
    return tuple(
        Constant(*read_value(b.value, blob)) if b.WhichOneof("binding") == "value" else Reference(b.name)
        for b in message.arguments
    )


def _check_names(block: Block, outer: set[str]) -> None:
    """Holds every name against those that exist where it is used.

    Raises:
        EdgekitError: EK507 for a name that is not defined, or defined twice.
    """
    known = set(outer)
    own: set[str] = set()
    for value in block.inputs:
        _define(value.name, own)
    known |= own
    for op in block.ops:
        for name, arguments in op.inputs.items():
            for argument in arguments:
                if isinstance(argument, Reference) and argument.name not in known:
                    raise unreadable(
                        f"`{name}` of the op `{op.name}` is `{argument.name}`, which is not defined"
                    )
        for inner in op.blocks:
            _check_names(inner, known)
        for value in op.outputs:
            _define(value.name, own)
        known |= {value.name for value in op.outputs}
    for name in block.outputs:
        if name not in known:
            raise unreadable(f"the program gives `{name}`, which is not defined")


def _define(name: str, own: set[str]) -> None:
    if not name or name in own:
        raise unreadable(
            f"the program defines `{name}` twice" if name else "the program has a value without a name"
        )
    own.add(name)
