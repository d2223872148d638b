"""A `ValueInfoProto`: the kind of value, its dtype and its sizes."""

from __future__ import annotations

import enum
import math
from typing import Any

from edgekit.importers.onnx_checks.findings import shown
from edgekit.importers.onnx_checks.tensor import MAX_RANK, Problem, dtype_of

MAX_ELEMENTS = 2**31 - 1
"""Largest tensor that is accepted as declared, in elements: the index range of the runtimes."""

_MAX_NESTING = 8
"""Deepest type accepted; `optional(sequence(tensor))` has three levels."""


class Role(enum.StrEnum):
    """What a value is to the graph."""

    INPUT = "input"
    OUTPUT = "output"
    INNER = "value"


def check_value(info: Any, role: Role) -> Problem | None:
    """Checks one `onnx.ValueInfoProto`.

    Args:
        info: The declared value.
        role: Input or output of the main graph, or any other value.

    Returns:
        The first problem, or `None`: EK104 when a size or dtype is not valid, EK107 when the value is
        too large, EK115 for an input or output that is not a tensor.
    """
    name = f"the {role} {shown(info.name)}"
    kind = info.type.WhichOneof("value")
    if kind is None:
        return ("EK104", f"{name} has no type") if role is Role.INPUT else None
    if kind == "tensor_type":
        return _check_tensor_type(info.type.tensor_type, name, role)
    if role is not Role.INNER or kind in ("map_type", "opaque_type"):
        return "EK115", f"{name} is of the kind {kind.removesuffix('_type').replace('_', ' ')}, not a tensor"
    return check_type(info.type, name)


def check_type(type_: Any, name: str, depth: int = 0) -> Problem | None:
    """Checks a `TypeProto` that may be nested.

    Args:
        type_: The type.
        name: How a message names what has the type.
        depth: How many types lie around it.
    """
    if depth > _MAX_NESTING:
        return "EK107", f"the type of {name} is nested deeper than {_MAX_NESTING} levels"
    kind = type_.WhichOneof("value")
    if kind is None:
        return None
    if kind == "tensor_type":
        return _check_tensor_type(type_.tensor_type, name, Role.INNER)
    if kind == "sparse_tensor_type":
        return _check_tensor_type(type_.sparse_tensor_type, name, Role.INNER)
    if kind in ("sequence_type", "optional_type"):
        return check_type(getattr(type_, kind).elem_type, name, depth + 1)
    return "EK115", f"{name} is of the kind {kind.removesuffix('_type').replace('_', ' ')}, not a tensor"


def _check_tensor_type(type_: Any, name: str, role: Role) -> Problem | None:
    number = type_.elem_type
    if number == 0:
        return ("EK104", f"{name} has no element type") if role is Role.INPUT else None
    if dtype_of(number) is None:
        return "EK104", f"{name} has the unknown element type {number}"
    if len(type_.shape.dim) > MAX_RANK:
        return "EK107", f"{name} has {len(type_.shape.dim)} axes, more than {MAX_RANK}"
    sizes = [d.dim_value for d in type_.shape.dim if d.WhichOneof("value") == "dim_value"]
    if any(size < -1 for size in sizes):
        return "EK104", f"{name} has a negative size in {sizes}"
    if math.prod(max(size, 1) for size in sizes) > MAX_ELEMENTS and 0 not in sizes:
        return "EK107", f"{name} of sizes {sizes} has more than {MAX_ELEMENTS} elements"
    return None


def check_constant(tensor: Any, info: Any) -> Problem | None:
    """Compares an initializer with what the graph declares of the value of that name.

    Args:
        tensor: The `onnx.TensorProto`.
        info: The `onnx.ValueInfoProto`.

    Returns:
        EK114 when they contradict each other, else `None`.
    """
    declared = info.type.tensor_type
    name = f"the initializer {shown(tensor.name)}"
    if declared.elem_type not in (0, tensor.data_type):
        return "EK114", f"{name} has another dtype than the graph declares"
    if not declared.HasField("shape"):
        return None
    sizes = [d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in declared.shape.dim]
    fits = len(sizes) == len(tensor.dims) and all(
        s in (None, -1, d) for s, d in zip(sizes, tensor.dims, strict=True)
    )
    return (
        None if fits else ("EK114", f"{name} has the shape {list(tensor.dims)}, the graph declares {sizes}")
    )
