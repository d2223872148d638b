"""The tensors of a TFLite graph in the hub: what is stored, and the reals that it stands for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.importers.tflite.nodes import Nodes
from edgekit.importers.tflite.table import Untranslatable
from edgekit.ir import Quant
from edgekit.ir.ledger import Value

_CODES = ("int8", "uint8", "int16")
"""Dtypes of activations that stand for reals."""
_NARROW = ("int4", "int2", "uint4")


class Tensors:
    """Values of the hub by tensor of the file."""

    def __init__(self, nodes: Nodes, names: Mapping[Value, str]) -> None:
        self._nodes = nodes
        self._names = names
        self._stored: dict[Value, ir.Value] = {}
        self._reals: dict[tuple[Value, tuple[int, ...] | None], ir.Value] = {}

    def is_quantised(self, value: Value) -> bool:
        """Tells whether a tensor's integers stand for reals."""
        if value.quant is None or (value.dtype.kind not in "iu" and value.dtype.name not in _NARROW):
            return False
        return value.dtype.name in _CODES or value.data is not None

    def name(self, value: Value) -> str:
        """Returns a free name like the tensor's own."""
        return self._nodes.name(self._names.get(value) or "tensor")

    def define(self, value: Value, made: ir.Value) -> None:
        """Says what holds a tensor as it is stored."""
        self._stored[value] = made

    def is_defined(self, value: Value) -> bool:
        """Tells whether something made a tensor, or it is a constant."""
        return value in self._stored or value.data is not None

    def stored(self, value: Value) -> ir.Value:
        """Returns a tensor as the file stores it.

        Raises:
            Untranslatable: If nothing makes it, or it holds what the hub has no constants of.
        """
        if value not in self._stored:
            if value.data is None:
                what = self._names.get(value) or "one of its operands"
                raise Untranslatable(f"`{what}` keeps a state between calls, or nothing computes it")
            self._stored[value] = self._nodes.const(_plain(value.data), name=self._names.get(value))
        return self._stored[value]

    def real(self, value: Value) -> ir.Value:
        """Returns the reals that a tensor stands for."""
        if not self.is_quantised(value):
            if value.quant is not None and value.dtype == np.int32:
                raise Untranslatable("it takes int32 for reals, which QuantizeLinear cannot make")
            return self.stored(value)
        key = (value, None)
        if key not in self._reals:
            self._reals[key] = self._dequantised(self.stored(value), value, _quant(value))
        return self._reals[key]

    def permuted(self, value: Value, perm: tuple[int, ...]) -> ir.Value:
        """Returns the reals of a constant with its axes permuted; the file's integers, reordered."""
        assert value.data is not None
        if sorted(perm) != list(range(value.rank)):
            raise Untranslatable(f"its weights have rank {value.rank} instead of {len(perm)}")
        key = (value, perm)
        if key not in self._reals:
            data = np.ascontiguousarray(_plain(value.data).transpose(perm))
            made = self._nodes.const(data, name=self._names.get(value))
            if self.is_quantised(value):
                quant = _quant(value)
                axis = None if quant.axis is None else perm.index(quant.axis)
                made = self._dequantised(made, value, dataclasses.replace(quant, axis=axis))
            self._reals[key] = made
        return self._reals[key]

    def quantised(self, real: ir.Value, value: Value) -> ir.Value:
        """Rounds reals to what a tensor stores."""
        quant = _quant(value)
        return self._nodes.op("QuantizeLinear", (real, *self._parameters(value, quant)), 1, axis=quant.axis)[
            0
        ]

    def _dequantised(self, codes: ir.Value, value: Value, quant: Quant) -> ir.Value:
        inputs = (codes, *self._parameters(value, quant))
        return self._nodes.op("DequantizeLinear", inputs, 1, axis=quant.axis)[0]

    def _parameters(self, value: Value, quant: Quant) -> tuple[ir.Value, ...]:
        def shaped(items: tuple[Any, ...], dtype: Any) -> NDArray[Any]:
            return np.asarray(items if quant.axis is not None else items[0], dtype)

        scale = self._nodes.const(shaped(quant.scale, np.float32))
        if value.dtype == np.int32:
            return (scale,)
        dtype = np.int8 if value.dtype.name in _NARROW else value.dtype
        return scale, self._nodes.const(shaped(quant.zero_point, dtype))


def _plain(data: NDArray[Any]) -> NDArray[Any]:
    """Narrow integers are held as int8: the same numbers."""
    if data.dtype == object:
        raise Untranslatable("it reads strings")
    return data.astype(np.int8) if data.dtype.name in _NARROW else data


def _quant(value: Value) -> Quant:
    """Returns the quantisation of a tensor.

    Raises:
        Untranslatable: If scales or zero points are not such, or do not fit the shape.
    """
    quant = value.quant
    assert quant is not None
    scale = np.asarray(quant.scale, np.float32)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise Untranslatable("a scale of its tensors is not a positive number")
    info = np.iinfo(np.int8 if value.dtype.name in _NARROW else value.dtype)
    if len(quant.zero_point) != len(quant.scale) or not all(
        info.min <= z <= info.max for z in quant.zero_point
    ):
        raise Untranslatable("a zero point of its tensors lies outside of their dtype")
    if value.dtype == np.int32 and any(quant.zero_point):
        raise Untranslatable("an int32 tensor has a zero point")
    if len(quant.scale) == 1:
        return dataclasses.replace(quant, axis=None)
    # One converter states the axis of the weights at their bias too; a vector has only one axis.
    axis = 0 if value.rank == 1 else quant.axis or 0
    if not 0 <= axis < value.rank or value.shape[axis] not in (None, len(quant.scale)):
        raise Untranslatable(f"{len(quant.scale)} scales do not fit the axis {axis} of a tensor")
    return dataclasses.replace(quant, axis=axis)
