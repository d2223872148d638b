"""Which values are quantised, and which of them share one scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import constant
from edgekit.quantize.arithmetic import Affine, affine
from edgekit.quantize.calibration import Ranges
from edgekit.quantize.roles import Role, Roles, data_inputs, is_fused
from edgekit.quantize.scheme import Scheme


@dataclass(slots=True)
class Groups:
    """Values that are quantised, in sets of one scale (a union-find).

    Attributes:
        scheme: Says which integers they become.
    """

    scheme: Scheme
    _parent: dict[ir.Value, ir.Value] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: ir.Graph, roles: Roles) -> Groups:
        """Finds the values of a graph that ops with integer kernels read and make.

        Args:
            graph: The main graph of a prepared model.
            roles: The roles of its nodes.
        """
        groups = cls(roles.scheme)
        for node in graph:
            role = roles.role(node)
            if role is None:
                continue
            outside = [v for v in (*data_inputs(node), *node.outputs) if not is_fused(v)]
            for value in outside:
                groups.add(value)
            if role is Role.SAME and not any(map(is_fused, data_inputs(node)[:1])):
                for value in outside[1:]:
                    groups.join(outside[0], value)
        return groups

    def add(self, value: ir.Value) -> None:
        """Adds a value, in a set of its own."""
        self._parent.setdefault(value, value)

    def join(self, a: ir.Value, b: ir.Value) -> None:
        """Lets two values share one scale."""
        self._parent[self._root(b)] = self._root(a)

    def __iter__(self) -> Iterator[ir.Value]:
        return iter(self._parent)

    def members(self, value: ir.Value) -> list[ir.Value]:
        """Returns the values that share the scale of one, itself among them."""
        root = self._root(value)
        return [v for v in self if self._root(v) is root]

    def __contains__(self, value: object) -> bool:
        return value in self._parent

    def _root(self, value: ir.Value) -> ir.Value:
        while self._parent[value] is not value:
            value = self._parent[value]
        return value

    def affines(self, ranges: Ranges) -> dict[ir.Value, Affine]:
        """Returns the quantisation of each value whose range is known.

        Args:
            ranges: Ranges of activations by name; those of constants follow from their elements.
        """
        members: dict[ir.Value, list[ir.Value]] = {}
        for value in self:
            members.setdefault(self._root(value), []).append(value)
        result: dict[ir.Value, Affine] = {}
        for group in members.values():
            quant = _shared(group, ranges, self.scheme)
            if quant is not None:
                result.update(dict.fromkeys(group, quant))
        return result


def _shared(group: list[ir.Value], ranges: Ranges, scheme: Scheme) -> Affine | None:
    known = [_range(v, ranges) for v in group]
    if any(r is None for r in known):
        return None  # something was not observed: the whole group stays in float
    assert scheme.activations is not None
    low = min(r[0] for r in known if r is not None)
    high = max(r[1] for r in known if r is not None)
    fixed = {
        scheme.fixed[n.op_type]
        for v in group
        if (n := v.producer()) is not None and n.op_type in scheme.fixed
    }
    if len(fixed) == 1:
        ((scale, zero),) = fixed
        only = Affine(np.float32(scale), zero, scheme.activations)
        if only.low - scale <= low and high <= only.high + scale:
            return only
    numerics = scheme.numerics
    zeros, power = numerics.zero_points, numerics.power_of_two
    return affine(low, high, scheme.activations, zeros=zeros, power_of_two=power)


def _range(value: ir.Value, ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float] | None:
    data = constant(value)
    if data is None:
        return ranges.get(value.name or "")
    if not data.size or not np.isfinite(data).all():
        return None
    return min(float(data.min()), 0.0), max(float(data.max()), 0.0)
