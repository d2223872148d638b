"""Fixes sizes that a model leaves open: many devices want every shape known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx_ir as ir

from edgekit.diagnostics import EdgekitError, error
from edgekit.ir import Model
from edgekit.ir.model import dims_of


def fix_shapes(model: Model, shapes: Mapping[str, Sequence[int]]) -> Model:
    """Gives inputs the sizes that they will always have.

    A symbol that is fixed by one input is fixed wherever it stands among inputs and outputs.

    Args:
        model: An imported model; not changed.
        shapes: All sizes of an input, by its name; an input that is not named keeps its own.

    Returns:
        The model with these shapes; what follows from them is inferred later.

    Raises:
        EdgekitError: EK202 for an unknown input, another number of axes, or a size that contradicts
            the model's own.
    """
    work = model.ir.clone()
    inputs = {v.name: v for v in work.graph.inputs if v.name not in work.graph.initializers}
    symbols: dict[str, int] = {}
    for name, sizes in shapes.items():
        if name not in inputs:
            known = ", ".join(f"`{n}`" for n in inputs)
            raise error("EK202", f"the model has no input `{name}`", notes=[f"inputs: {known}"])
        _bind(inputs[name], tuple(sizes), symbols)
    for value in (*work.graph.inputs, *work.graph.outputs):
        if value.shape is not None:
            value.shape = ir.Shape([_fixed(d, symbols) for d in value.shape])
    return replace(model, ir=work)


LARGEST = 2**31 - 1
"""Largest size of an axis: devices count in int32."""


def _bind(value: ir.Value, sizes: tuple[int, ...], symbols: dict[str, int]) -> None:
    """Sets the shape of an input and notes what its symbols stand for."""
    declared = dims_of(value.shape)
    if declared is not None and len(declared) != len(sizes):
        raise _misfit(value, sizes, f"it has {len(declared)} axes")
    for axis, (own, size) in enumerate(zip(declared or (None,) * len(sizes), sizes, strict=True)):
        wanted = symbols.setdefault(own, size) if isinstance(own, str) else own
        if size > LARGEST:
            raise _misfit(value, sizes, f"axis {axis} is beyond int32")
        if size < 0 or (wanted is not None and wanted != size):
            text = f"`{own}` is {wanted} elsewhere" if isinstance(own, str) else f"it is {own}"
            raise _misfit(value, sizes, f"axis {axis} cannot be {size}: {text}")
    value.shape = ir.Shape(sizes)


def _misfit(value: ir.Value, sizes: Sequence[int], why: str) -> EdgekitError:
    text = "x".join(map(str, sizes))
    return error("EK202", f"the input `{value.name}` cannot have the shape {text}: {why}")


def _fixed(dim: int | ir.SymbolicDim, symbols: Mapping[str, int]) -> int | ir.SymbolicDim:
    if isinstance(dim, int) or dim.value is None:
        return dim
    return symbols.get(dim.value, dim)
