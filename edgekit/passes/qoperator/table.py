"""The table of forms, and what they share: operands as reals, results as integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.passes.edit import Maker, attribute, constant, operand

MICROSOFT = "com.microsoft"
Form = Callable[[Maker], None]
"""Replaces the node, or raises `Stays` before it makes anything."""

FORMS: dict[tuple[str, str], Form] = {}
"""Forms by domain and op type."""


class Stays(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """The op has no form with QuantizeLinear and DequantizeLinear here."""


def unfolds(*ops: str, domain: str = MICROSOFT) -> Callable[[Form], Form]:
    """Registers the decorated function as the form of ops.

    Args:
        ops: Op types.
        domain: Their domain.
    """

    def register(form: Form) -> Form:
        FORMS.update({(domain, op): form for op in ops})
        return form

    return register


def parameter(maker: Maker, index: int) -> NDArray[Any]:
    """Returns a scale or zero point.

    Raises:
        Stays: If it is not a constant of at most one axis, or missing.
    """
    found = constant(operand(maker.node, index))
    if found is None or found.ndim > 1:
        raise Stays
    return found.reshape(()) if found.size == 1 else found


def check(maker: Maker, *indices: int) -> None:
    """Makes sure that parameters are constants; zero points may be left out.

    Raises:
        Stays: If one is computed at run time.
    """
    for index in indices:
        if operand(maker.node, index) is not None:
            parameter(maker, index)


def check_single(maker: Maker, *indices: int) -> None:
    """Makes sure that parameters are constants of one element.

    Raises:
        Stays: If one is not.
    """
    check(maker, *indices)
    for index in indices:
        if operand(maker.node, index) is not None and parameter(maker, index).ndim:
            raise Stays


def real(maker: Maker, first: int, axis: int | None = None) -> ir.Value:
    """Makes DequantizeLinear of an operand, followed by its scale and zero point.

    Args:
        maker: At the node.
        first: The operand's position.
        axis: Of scales with an element per channel.
    """
    scale = parameter(maker, first + 1)
    held = [maker.const(scale, hint="scale")]
    if operand(maker.node, first + 2) is not None:
        zero = parameter(maker, first + 2)
        held.append(maker.const(np.broadcast_to(zero, scale.shape), hint="zero_point"))
    return maker.op("DequantizeLinear", operand(maker.node, first), *held, axis=axis if scale.ndim else None)


def codes(maker: Maker, value: ir.Value, first: int) -> ir.Value:
    """Makes QuantizeLinear with the scale and zero point at a position."""
    held = [maker.const(parameter(maker, first), hint="scale")]
    if operand(maker.node, first + 1) is not None:
        held.append(maker.const(parameter(maker, first + 1), hint="zero_point"))
    return maker.op("QuantizeLinear", value, *held)


def kept(maker: Maker, *names: str) -> dict[str, Any]:
    """Returns attributes that the op on reals has too."""
    found = {name: attribute(maker.node, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}
