"""Reads a `.mlpackage` into a ledger: the MIL ops and tensors of its main function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.ir import Origin
from edgekit.lowering.coreml.builder import Slot
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph, TensorMap, Value
from edgekit.runners.mil_reference.model import MilModel
from edgekit.runners.mil_reference.program import Block, Constant, Named, Op, Reference
from edgekit.runners.mil_reference.types import TensorType, ValueType

OPERANDS = frozenset(
    ("x", "y", "a", "b", "cond", "weight", "bias", "data", "indices", "updates", "values", "gamma", "beta",
     "mean", "variance", "initial_h", "initial_c", "weight_ih", "weight_hh", "peephole", "query", "key",
     "value", "attn_mask", "pred", "loop_vars", "boxes", "scores", "input", "ls")
)  # fmt: skip
"""Parameters that take tensors; constants of any other are attributes."""


def read_mlpackage(path: Path) -> Lowered:
    """Reads the ops of a Core ML package.

    Args:
        path: The package.

    Returns:
        The ledger in the form of our own lowering: `Slot` stands in the attributes for an operand.
        Constants are values with data; compressed ones have the right size, and zeros as elements.

    Raises:
        EdgekitError: EK507 if it is damaged, EK503 if it holds no ML Program, EK501 without coremltools.
    """
    function = MilModel(path).function
    known: dict[str, Any] = {}
    names: dict[Value, str] = {}
    inputs = tuple(_bind(i, known, names) for i in function.inputs)
    ops = _ops(function.block, known, names)
    outputs = tuple(known[name] for name in function.block.outputs)
    main = Subgraph("main", inputs, outputs, ops, names)
    tensors = {name: TensorMap(value) for value, name in names.items()}
    return Lowered("coreml", main, tuple(map(TensorMap, inputs)), tuple(map(TensorMap, outputs)), (), tensors)


def _ops(block: Block, known: dict[str, Any], names: dict[Value, str]) -> tuple[Emitted, ...]:
    ops: list[Emitted] = []
    for op in block.ops:
        if op.type == "const":
            argument = op.inputs["val"][0]
            known[op.name] = argument.value if isinstance(argument, Constant) else None
        elif op.type.startswith("constexpr_"):
            known[op.name] = _compressed(op.outputs[0])
        else:
            ops.append(_op(op, known, names))
    return tuple(ops)


def _op(op: Op, known: dict[str, Any], names: dict[Value, str]) -> Emitted:
    inputs: list[Value] = []
    attrs: dict[str, Any] = {}
    for name, arguments in sorted(op.inputs.items(), key=lambda pair: (pair[0] != "x", pair[0])):
        found = [known[a.name] if isinstance(a, Reference) else a.value for a in arguments]
        found = [_as_operand(v) if name in OPERANDS and _is_tensor(name, v) else v for v in found]
        if any(isinstance(v, Value) for v in found):
            slots = tuple(Slot(len(inputs) + i) for i in range(len(found)))
            inputs += [v if isinstance(v, Value) else _constant(v) for v in found]
            attrs[name] = slots[0] if len(slots) == 1 and name != "values" else slots
        else:
            plain = [_plain(v) for v in found]
            attrs[name] = plain[0] if len(plain) == 1 else plain
    for index, block in enumerate(op.blocks):
        attrs[f"block_{index}"] = _block(block, known)
    outputs = tuple(_bind(o, known, names) for o in op.outputs)
    origin = Origin(nodes=(op.name,))
    return Emitted(op.type, tuple(inputs), outputs, attrs, origin)


def _block(block: Block, outer: Mapping[str, Any]) -> Subgraph:
    known, names = dict(outer), dict[Value, str]()
    inputs = tuple(_bind(i, known, names) for i in block.inputs)
    ops = _ops(block, known, names)
    return Subgraph("block", inputs, tuple(_as_operand(known[n]) for n in block.outputs), ops, names)


def _bind(named: Named, known: dict[str, Any], names: dict[Value, str]) -> Value:
    dtype, shape = _spec(named.type)
    value = Value(dtype, shape)
    known[named.name] = value
    names[value] = named.name
    return value


def _spec(kind: ValueType) -> tuple[np.dtype[Any], tuple[int | None, ...]]:
    if isinstance(kind, TensorType):
        return kind.element.carrier, kind.shape or ()
    return np.dtype(object), ()


def _compressed(named: Named) -> Value:
    dtype, shape = _spec(named.type)
    sizes = tuple(d or 0 for d in shape)
    return Value(dtype, sizes, np.broadcast_to(np.zeros((), dtype), sizes))


def _is_tensor(name: str, found: Any) -> bool:
    """A scalar is a tensor only where an op computes with two tensors; else it is a parameter."""
    return name in ("x", "y", "a", "b", "indices", "updates", "cond") or np.ndim(found) > 0


def _as_operand(found: Any) -> Any:
    return _constant(found) if isinstance(found, np.ndarray | np.generic) else found


def _constant(found: Any) -> Value:
    data = np.asarray(found)
    return Value(data.dtype, data.shape, data)


def _plain(found: Any) -> Any:
    if isinstance(found, np.ndarray | np.generic):
        return np.asarray(found).tolist()
    return found
