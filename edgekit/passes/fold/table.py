"""The table of numpy kernels for constant folding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.passes.edit import attribute

Array = NDArray[Any]


class Decline(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """The kernel does not evaluate this: the result is undefined, or differs between runtimes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A node with the elements of its inputs.

    Attributes:
        node: The node, in the newest form of its op.
        inputs: One array for each input; `None` where it is left out.
    """

    node: ir.Node
    inputs: tuple[Array | None, ...]

    def attr(self, name: str, default: Any = None) -> Any:
        """Returns an attribute, or the default."""
        return attribute(self.node, name, default)

    def get(self, index: int) -> Array | None:
        """Returns an input, or `None` where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def __getitem__(self, index: int) -> Array:
        """Returns an input that the op requires."""
        array = self.get(index)
        if array is None:
            raise Decline(f"required input {index} is left out")
        return array

    def ints(self, index: int) -> list[int] | None:
        """Returns an integer input as a list, or `None` where it is left out."""
        array = self.get(index)
        return None if array is None else [int(x) for x in array.reshape(-1)]


Kernel = Callable[[Call], Array | Sequence[Array]]
KERNELS: dict[str, Kernel] = {}


def folds(*op_types: str) -> Callable[[Kernel], Kernel]:
    """Registers the decorated function as the kernel of ops."""

    def register(function: Kernel) -> Kernel:
        for op_type in op_types:
            if op_type in KERNELS:
                raise ValueError(f"`{op_type}` has two kernels")
            KERNELS[op_type] = function
        return function

    return register


PLAIN = frozenset("?bBhHiIlLqQefd")
"""Type characters of numpy's own bool, integer and float dtypes."""


def evaluate(node: ir.Node, inputs: Sequence[Array | None]) -> tuple[Array, ...] | None:
    """Evaluates a node.

    Args:
        node: A node of the newest opset.
        inputs: The elements of its inputs; `None` where one is left out.

    Returns:
        One array for each output that the kernel gives, or `None` when there is no kernel or it declines.
    """
    kernel = None if node.domain else KERNELS.get(node.op_type)
    if kernel is None or any(a is not None and a.dtype == object for a in inputs):
        return None
    try:
        with np.errstate(all="ignore"):
            result = kernel(Call(node, tuple(inputs)))
    except (Decline, ValueError, TypeError, LookupError, ArithmeticError, MemoryError):
        return None  # an expression without a value is left as it is; running the model tells why
    return tuple(result) if isinstance(result, (list, tuple)) else (np.asarray(result),)


def require_plain(*arrays: Array | None) -> None:
    """Declines dtypes that numpy does not calculate with itself (bfloat16, float8, int4)."""
    if any(a is not None and a.dtype.char not in PLAIN for a in arrays):
        raise Decline("not a dtype of numpy")


def refuse_nan(*arrays: Array | None) -> None:
    """Declines NaN where runtimes differ in what they make of it."""
    if any(a is not None and a.dtype.kind == "f" and np.isnan(a).any() for a in arrays):
        raise Decline("NaN")


def normal_axis(axis: int, rank: int) -> int:
    """Returns a non-negative axis."""
    if not -rank <= axis < max(rank, 1):
        raise Decline("axis out of range")
    return axis + rank if axis < 0 else axis
