"""`Facts`: what rules may ask of an emitted op, whatever the dialect. Computed once, on the first question.

`None` always means "not known": the rule that asked then answers unknown, never that it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Value

Pair = tuple[int, int]
"""Height and width."""


@lru_cache(maxsize=256)
def _dtype_name(dtype: np.dtype[Any]) -> str | None:
    return None if dtype.kind == "O" else str(dtype)


class Facts:
    """The facts of one op.

    Attributes:
        emitted: The op.
        name: Its name in the dialect.
        verdicts: What rows of tables said of it so far.
        findings: What rules said of it so far.
        PARAMETERS: Per op, the operands that steer it and are no feature maps: their role by position.
        SPACE: The letters of the axes of a tensor of rank 4.
        WINDOWED: The ops that have a window.
        ALONG_AXES: The ops that work along axes.
    """

    PARAMETERS: ClassVar[Mapping[str, Mapping[int, str]]] = {}
    SPACE: ClassVar[str] = "NHWC"
    WINDOWED: ClassVar[frozenset[str]] = frozenset()
    ALONG_AXES: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, emitted: Emitted) -> None:
        self.emitted = emitted
        self.name = emitted.op
        self.verdicts: dict[Any, Any] = {}
        self.findings: dict[str, Any] = {}

    # Operands by role

    @cached_property
    def roles(self) -> Mapping[str, Value]:
        """The operands that are no feature maps, by role (`weights`, `bias`, `axes`, `perm`)."""
        table = self.PARAMETERS.get(self.name, {})
        found = {role: self.operand(i) for i, role in table.items()}
        return {role: value for role, value in found.items() if value is not None}

    @cached_property
    def ifms(self) -> tuple[Value, ...]:
        """The feature maps that go in, constants included."""
        table = self.PARAMETERS.get(self.name, {})
        return tuple(v for i, v in enumerate(self.emitted.inputs) if v is not None and i not in table)

    @property
    def ofms(self) -> tuple[Value, ...]:
        """The feature maps that come out."""
        return self.emitted.outputs

    @property
    def ifm(self) -> Value | None:
        """The first feature map that goes in."""
        return self.ifms[0] if self.ifms else None

    @property
    def ofm(self) -> Value | None:
        """The first feature map that comes out."""
        return self.ofms[0] if self.ofms else None

    def operand(self, index: int) -> Value | None:
        """Returns the operand at a position, `None` where it is left out."""
        return self.emitted.inputs[index] if index < len(self.emitted.inputs) else None

    def param(self, role: str) -> NDArray[Any] | None:
        """Returns the elements of an operand with a role, `None` if it is no constant."""
        value = self.roles.get(role)
        return None if value is None else value.data

    def ints(self, role: str) -> tuple[int, ...] | None:
        """Returns the elements of an integer operand, or of the attribute of that name."""
        data = self.param(role)
        if data is None:
            given = self.emitted.attrs.get(role)
            if given is None or isinstance(given, str):
                return None
            data = np.asarray(given)
        return tuple(int(v) for v in data.reshape(-1)) if data.dtype.kind in "iu" else None

    def tensors(self, which: str) -> tuple[Value, ...]:
        """Returns tensors by the word that descriptors use.

        Args:
            which: `ifm`, `ifm2`, `ofm`, `ifms`, `ofms`, `feature-maps`, `weights`, `bias`, or `all`.
        """
        if which == "feature-maps":
            return (*self.ifms, *self.ofms)
        if which == "ifms":
            return self.ifms
        if which == "ofms":
            return self.ofms
        if which == "all":
            return (*(v for v in self.emitted.inputs if v is not None), *self.ofms)
        one = {"ifm": self.ifms[:1], "ifm2": self.ifms[1:2], "ofm": self.ofms[:1]}.get(which)
        if one is not None:
            return one
        value = self.roles.get(which)
        return () if value is None else (value,)

    # What a tensor is

    def dtype(self, value: Value) -> str | None:
        """Returns the dtype that the backend computes in, `None` if it is not known."""
        return _dtype_name(value.dtype)

    def quant(self, value: Value) -> Quant | None:
        """Returns the quantisation of a tensor."""
        return value.quant

    def size(self, value: Value, axis: str) -> int | None:
        """Returns the size along an axis by its letter.

        Args:
            value: A tensor; of fewer axes than four, the missing leading ones of `NHWC` count as 1.
            axis: `N`, `H`, `W` or `C`.
        """
        letters = self.letters(value)
        return 1 if axis not in letters else value.shape[letters.index(axis)]

    def letters(self, value: Value) -> str:
        """Returns the letters of a tensor's axes, as far as they have one."""
        rank = value.rank
        if rank > len(self.SPACE):
            return self.SPACE[0] + "D" * (rank - len(self.SPACE)) + self.SPACE[1:]
        return self.SPACE[len(self.SPACE) - rank :]

    def attr(self, name: str) -> Any:
        """Returns an attribute under the dialect's name, `None` if it is not given."""
        return self.emitted.attrs.get(name)

    # What the op does; dialects override these

    @property
    def kernel(self) -> Pair | None:
        """Height and width of the window."""
        return None

    @property
    def stride(self) -> Pair | None:
        """Strides along height and width."""
        return None

    @property
    def dilation(self) -> Pair | None:
        """Dilations along height and width."""
        return None

    @property
    def padding(self) -> str | None:
        """`SAME`, `VALID` or `EXPLICIT`."""
        return None

    @property
    def pads(self) -> tuple[int, int, int, int] | None:
        """Padding on top, left, bottom, right."""
        return None

    @property
    def groups(self) -> int | None:
        """Groups of a convolution."""
        return None

    @property
    def activation(self) -> str | None:
        """The fused activation, `NONE` without one."""
        return "NONE"

    @property
    def axes(self) -> tuple[int, ...] | None:
        """The axes that the op works along, counted from 0."""
        return None

    @cached_property
    def ranks(self) -> Sequence[int]:
        """The ranks of all feature maps."""
        return [v.rank for v in self.tensors("feature-maps")]


def from_end(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Counts axes from 0 that may be counted from the end."""
    return tuple(a + rank if a < 0 else a for a in axes)
