"""Holds a package with compressed weights against the same package before.

A compression may move a weight as far as its own numbers allow: half a step where it is linear, to the
nearest entry of its table, to zero where others of larger magnitude are kept. What is beyond that, and
whatever else changed, is a fault.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.runners.mil_reference import ops as _ops  # noqa: F401 - fills the table
from edgekit.runners.mil_reference.call import call
from edgekit.runners.mil_reference.program import Argument, Block, Constant, Function, Op, Reference
from edgekit.runners.mil_reference.table import TABLE
from edgekit.runners.mil_reference.types import Array, Runtime

_SUFFIXES = ("_quantized", "_palettized", "_sparsified")
"""What coremltools appends to the name of a weight."""
_ROUNDING = 2.0**-9
"""Rounding of float16 in what chooses a step or the entry of a table, relative to the weights' range."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """What a compression did.

    Attributes:
        weights: How many weights it changed.
        faults: What is beyond its own numbers, one sentence each.
    """

    weights: int
    faults: tuple[str, ...]


def compare(before: Function, after: Function) -> Compressed:
    """Compares a function before and after its weights were compressed.

    Args:
        before: The function with dense weights.
        after: The same with compressed ones.
    """
    held = _constants(before.block)
    inner = [op for op in after.block.ops if op.type.startswith("constexpr_")]
    known: dict[str, Runtime] = dict(_constants(after.block))
    faults: list[str] = []
    names: dict[str, str] = {}
    for op in inner:
        given = {name: [_value(a, known) for a in arguments] for name, arguments in op.inputs.items()}
        results = call(TABLE.find(op.type, after.ios), given)  # type: ignore[arg-type]
        known |= dict(zip((o.name for o in op.outputs), results, strict=True))
        source = next((op.name.removesuffix(s) for s in _SUFFIXES if op.name.endswith(s)), op.name)
        names[op.name] = source
        faults += [f"the weight `{source}` {why}" for why in _moved(op, given, held.get(source), results[-1])]
    faults += _differences(before.block, after.block, names)
    return Compressed(len(inner), tuple(faults))


def _constants(block: Block) -> dict[str, Runtime]:
    return {op.name: _value(op.inputs["val"][0], {}) for op in block.ops if op.type == "const"}


def _value(argument: Argument, known: Mapping[str, Runtime]) -> Runtime:
    return argument.value if isinstance(argument, Constant) else known[argument.name]


# -- weights -------------------------------------------------------------------------------------


def _moved(op: Op, given: Mapping[str, Sequence[Any]], dense: Any, decoded: Any) -> list[str]:
    if not isinstance(dense, np.ndarray) or dense.shape != decoded.shape:
        return ["is not one of the package before compression"]
    exact, found = dense.astype(np.float64), decoded.astype(np.float64)
    slack = _ROUNDING * float(np.ptp(exact)) if exact.size else 0.0
    if "sparse" in op.type:
        return _pruned(exact, found)
    if "lut" in op.type:
        allowed = _nearest(exact, given["lut"][0].astype(np.float64)) + slack
    else:
        axis = given.get("axis", [np.asarray(0)])[0]
        allowed = 0.5 * _spread(given["scale"][0].astype(np.float64), exact.shape, int(axis)) + slack
    wrong = int(np.count_nonzero(np.abs(exact - found) > allowed))
    return [f"is off by more than its compression explains at {wrong} elements"] if wrong else []


def _pruned(exact: Array, found: Array) -> list[str]:
    kept = found != 0
    if not np.array_equal(exact[kept], found[kept]):
        return ["has other elements than before"]
    smallest = float(np.abs(exact[kept]).min(initial=np.inf))
    return ["lost elements larger than those it kept"] if np.any(np.abs(exact[~kept]) > smallest) else []


def _nearest(exact: Array, lut: Array) -> Array:
    """Returns how far each element is from the nearest entry of its table."""
    if lut.ndim == 1:
        lut = lut.reshape(*(1,) * exact.ndim, -1, 1)
    distance = np.full(exact.shape, np.inf)
    for entry in range(lut.shape[-2]):
        distance = np.minimum(distance, np.abs(exact - _spread(lut[..., entry, 0], exact.shape, 0)))
    return distance


def _spread(factor: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Repeats numbers over the elements that they belong to: blocks, or one number along an axis."""
    if factor.ndim < len(shape):
        wide = [1] * len(shape)
        wide[axis] = factor.size
        factor = factor.reshape(wide)
    for at, size in enumerate(shape):
        factor = np.repeat(factor, size // factor.shape[at], at)
    return factor


# -- everything else -----------------------------------------------------------------------------


def _differences(before: Block, after: Block, names: Mapping[str, str]) -> list[str]:
    """Says which ops are not what they were; weights that are compressed now are left out."""
    gone = set(names.values())
    old = [op for op in before.ops if op.name not in gone]
    new = [op for op in after.ops if op.name not in names]
    first, second = ({op.name: op for op in ops} for ops in (old, new))
    faults = [f"the op `{n}` is in one package only" for n in sorted(first.keys() ^ second.keys())]
    faults += [
        f"the op `{name}` ({op.type}) is not what it was"
        for name, op in first.items()
        if name in second and not _same(op, second[name], names)
    ]
    if before.outputs != after.outputs:
        faults.append("the outputs are not what they were")
    return faults


def _same(a: Op, b: Op, names: Mapping[str, str]) -> bool:
    if a.type != b.type or a.outputs != b.outputs or a.inputs.keys() != b.inputs.keys():
        return False
    pairs = [(x, y) for key in a.inputs for x, y in zip(a.inputs[key], b.inputs[key], strict=False)]
    counts = all(len(a.inputs[key]) == len(b.inputs[key]) for key in a.inputs)
    blocks = len(a.blocks) == len(b.blocks) and not any(
        _differences(x, y, names) for x, y in zip(a.blocks, b.blocks, strict=False)
    )
    return counts and blocks and all(_alike(x, y, names) for x, y in pairs)


def _alike(a: Argument, b: Argument, names: Mapping[str, str]) -> bool:
    if isinstance(a, Reference) and isinstance(b, Reference):
        return a.name == names.get(b.name, b.name)
    if isinstance(a, Constant) and isinstance(b, Constant):
        return a.type == b.type and _equal(a.value, b.value)
    return False


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        nan = a.dtype.kind == "f"
        return bool(np.array_equal(a, b, equal_nan=nan))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))
