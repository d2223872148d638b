"""Which values an input may take, read off the ops that consume it in the hub IR."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.runners import Array

Fill = Callable[[np.random.Generator, tuple[int, ...]], Array]
"""Makes values of a shape; they are cast to the input's dtype."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a consumer wants of an input.

    Attributes:
        low: The smallest value.
        high: The largest value.
        fill: Makes the values where an interval does not say enough.
    """

    low: float
    high: float
    fill: Fill | None = None

    def __and__(self, other: Wanted) -> Wanted:
        """Returns what both want; this one alone where they contradict each other."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Wanted(low, high, self.fill or other.fill) if low <= high else self


Rule = Callable[[ir.Node], Wanted | None]

_RULES: dict[tuple[str, int], Rule] = {}

# Ops that hand values on, by the position of the operand; shapes may change.
_TRANSPARENT = {
    *((op, 0) for op in ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten", "Expand")),
    *((op, 0) for op in ("Slice", "Split", "Tile", "Cast", "Gather", "GatherElements", "GatherND")),
    *((op, 0) for op in ("DepthToSpace", "SpaceToDepth", "Resize", "MaxPool", "QuantizeLinear", "Dropout")),
    *(("Concat", i) for i in range(64)),
    *((op, i) for op in ("Max", "Min") for i in range(8)),
    *(("Where", i) for i in (1, 2)),
}

_MAX_STEPS = 200


def wanted_of(value: ir.Value) -> Wanted | None:
    """Returns what the consumers of an input want of its values, `None` if nothing is known.

    Args:
        value: An input of the graph.
    """
    wanted: Wanted | None = None
    for node, position in _consumers(value):
        rule = _RULES.get((node.op_type, position))
        found = None if rule is None or node.domain not in ("", "ai.onnx") else rule(node)
        if found is not None:
            wanted = found if wanted is None else wanted & found
    return wanted


def _consumers(value: ir.Value) -> Iterator[tuple[ir.Node, int]]:
    """Yields who uses a value, directly or through ops that hand it on."""
    pending, seen = [value], {value}
    for _ in range(_MAX_STEPS):
        if not pending:
            return
        for node, position in pending.pop().uses():
            yield node, position
            if (node.op_type, position) not in _TRANSPARENT:
                continue
            for output in node.outputs:
                if output not in seen:
                    seen.add(output)
                    pending.append(output)


def rule(*places: tuple[str, int]) -> Callable[[Rule], Rule]:
    """Registers what operands want, by op and position."""

    def register(function: Rule) -> Rule:
        for place in places:
            if place in _RULES:
                raise ValueError(f"two rules for operand {place[1]} of `{place[0]}`")
            _RULES[place] = function
        return function

    return register


def _always(low: float, high: float, *places: tuple[str, int]) -> None:
    rule(*places)(lambda node: Wanted(low, high))


def _filled(fill: Fill, *places: tuple[str, int]) -> None:
    rule(*places)(lambda node: Wanted(-np.inf, np.inf, fill))


# Where the mathematics ends, or the result leaves the range of float32.
_always(0.05, 4.0, ("Log", 0), ("Sqrt", 0), ("BatchNormalization", 4))
_always(0.5, 2.0, ("Reciprocal", 0))
_always(-0.95, 0.95, ("Asin", 0), ("Acos", 0), ("Atanh", 0))
_always(1.05, 4.0, ("Acosh", 0))
_always(-4.0, 4.0, ("Exp", 0), ("Sinh", 0), ("Cosh", 0))
_always(0.01, 0.1, ("QuantizeLinear", 1), ("DequantizeLinear", 1))
_always(-2, 3, ("Pow", 1))
# Counts and sizes.
_always(1, 4, ("Loop", 0), ("ConstantOfShape", 0), ("NonMaxSuppression", 2))
_always(0.3, 0.7, ("NonMaxSuppression", 3))
_always(0.1, 0.3, ("NonMaxSuppression", 4))
_always(1, 2, ("Tile", 1), ("Resize", 2), ("Upsample", 1))
_always(0, 0, ("Range", 0))
_always(3, 9, ("Range", 1), ("OneHot", 1))
_always(1, 1, ("Range", 2), ("Slice", 4))
_always(0, 1, ("Slice", 1), ("Trilu", 1))
_always(2, 3, ("Slice", 2))
_always(0, 2, ("Pad", 1))
_always(0, 7, ("BitShift", 1))
_always(4, 16, *((op, 0) for op in ("HannWindow", "HammingWindow", "BlackmanWindow")))
_always(1, 1, ("Loop", 1))
_always(0.1, 0.5, ("Dropout", 1))
_always(0, 0, ("Dropout", 2), ("CumSum", 1))


def _leading_axes(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    del generator
    return np.arange(int(np.prod(shape))).reshape(shape)


def _ones(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    del generator
    return np.ones(shape)


_filled(_leading_axes, ("Unsqueeze", 1), ("Squeeze", 1), ("Slice", 3), ("Pad", 3))
_filled(
    _leading_axes,
    *((f"Reduce{kind}", 1) for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare")),
    *((f"Reduce{kind}", 1) for kind in ("LogSum", "LogSumExp")),
)
_filled(_ones, ("Expand", 1))


@rule(("QuantizeLinear", 0))
def _quantised(node: ir.Node) -> Wanted | None:
    """All that the quantised type can tell apart, where one constant scale says how far that goes."""
    tensors = [None if v is None else ir.convenience.get_const_tensor(v) for v in node.inputs[1:3]]
    if len(tensors) < 2 or any(t is None or t.size != 1 for t in tensors):
        return None
    scale, zero = (float(t.numpy().astype(np.float64).reshape(())) for t in tensors if t is not None)
    kind = tensors[1].dtype if tensors[1] is not None else None
    if kind not in (ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.INT16, ir.DataType.UINT16):
        return None
    limits = np.iinfo(kind.numpy())
    return Wanted((limits.min - zero) * scale, (limits.max - zero) * scale)


@rule(("Div", 1), ("Mod", 1))
def _divisor(node: ir.Node) -> Wanted:
    return Wanted(1, 7) if _is_integer(node.inputs[1]) else Wanted(0.5, 2.0)


@rule(("Pow", 0))
def _base(node: ir.Node) -> Wanted | None:
    exponent = None if node.inputs[1] is None else ir.convenience.get_const_tensor(node.inputs[1])
    if exponent is not None and np.all(np.mod(exponent.numpy(), 1) == 0):
        return None
    return Wanted(0.05, 4.0)


@rule(("Gather", 1), ("GatherElements", 1))
def _gather_indices(node: ir.Node) -> Wanted | None:
    return _below(_size(node.inputs[0], _attribute(node, "axis", 0)))


@rule(("NegativeLogLikelihoodLoss", 1), ("SoftmaxCrossEntropyLoss", 1))
def _classes(node: ir.Node) -> Wanted | None:
    return _below(_size(node.inputs[0], 1))


@rule(("RoiAlign", 2))
def _images(node: ir.Node) -> Wanted | None:
    return _below(_size(node.inputs[0], 0))


@rule(("GatherND", 1))
def _gather_nd_indices(node: ir.Node) -> Wanted | None:
    indices, data = _shape(node.inputs[1]), _shape(node.inputs[0])
    if indices is None or data is None or indices[-1] is None:
        return Wanted(0, 0)
    batch = _attribute(node, "batch_dims", 0)
    return _below(_smallest(data[batch : batch + indices[-1]]))


@rule(("ScatterElements", 1), ("Scatter", 1))
def _scatter_indices(node: ir.Node) -> Wanted | None:
    axis = _attribute(node, "axis", 0)
    size = _size(node.inputs[0], axis)
    if size is None:
        return Wanted(0, 0)

    def distinct(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        # Where two updates meet, the result is not defined.
        count = shape[axis]
        lines = generator.random((*np.delete(shape, axis), max(size, count))).argsort(axis=-1)
        return np.moveaxis(lines[..., :count], -1, axis)

    return Wanted(0, size - 1, distinct)


@rule(("ScatterND", 1))
def _scatter_nd_indices(node: ir.Node) -> Wanted | None:
    data = _shape(node.inputs[0])
    if data is None:
        return Wanted(0, 0)

    def distinct(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        sizes = [1 if size is None else size for size in data[: shape[-1]]]
        rows = int(np.prod(shape[:-1]))
        chosen = generator.permutation(max(int(np.prod(sizes)), rows))[:rows] % int(np.prod(sizes))
        return np.stack(np.unravel_index(chosen, sizes), axis=-1).reshape(shape)

    return Wanted(0, np.inf, distinct)


@rule(("OneHot", 0))
def _one_hot_indices(node: ir.Node) -> Wanted | None:
    depth = ir.convenience.get_const_tensor(node.inputs[1]) if node.inputs[1] else None
    return Wanted(0, 2) if depth is None else _below(int(depth.numpy().reshape(-1)[0]))


@rule(("TopK", 1))
def _top_count(node: ir.Node) -> Wanted:
    return Wanted(1, _size(node.inputs[0], _attribute(node, "axis", -1)) or 1)


@rule(("LSTM", 4), ("GRU", 4), ("RNN", 4))
def _sequence_lengths(node: ir.Node) -> Wanted:
    axis = 1 if _attribute(node, "layout", 0) else 0
    return Wanted(1, _size(node.inputs[0], axis) or 1)


@rule(("ReverseSequence", 1))
def _reversed_lengths(node: ir.Node) -> Wanted:
    return Wanted(1, _size(node.inputs[0], _attribute(node, "time_axis", 0)) or 1)


@rule(("RotaryEmbedding", 3))
def _positions(node: ir.Node) -> Wanted | None:
    return _below(_size(node.inputs[1], 0))


@rule(("Reshape", 1))
def _new_shape(node: ir.Node) -> Wanted:
    data = _shape(node.inputs[0])
    keeps = 0 if data is None or _attribute(node, "allowzero", 0) else len(data)

    def keep_then_flatten(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        del generator
        sizes = np.zeros(shape[0]) if keeps else np.ones(shape[0])  # 0 keeps the size of the data
        if shape[0] != keeps:
            sizes[keeps:] = 1
            sizes[min(keeps, shape[0]) - 1] = -1
        return sizes

    return Wanted(-1, np.inf, keep_then_flatten)


@rule(("Split", 1))
def _split_sizes(node: ir.Node) -> Wanted | None:
    size = _size(node.inputs[0], _attribute(node, "axis", 0))
    if size is None:
        return None

    def even(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        del generator
        return np.diff(np.linspace(0, size, shape[0] + 1).astype(int))

    return Wanted(0, size, even)


@rule(("Resize", 3))
def _new_sizes(node: ir.Node) -> Wanted | None:
    data = _shape(node.inputs[0])
    if data is None:
        return None

    def doubled(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        del generator
        sizes = [1 if size is None else size for size in data[-shape[0] :]]
        return np.array([size if axis < 2 else 2 * size for axis, size in enumerate(sizes)])

    return Wanted(1, np.inf, doubled)


@rule(*((op, i) for op in ("Sub", "Mul", "Div", "Add") for i in (0, 1) if (op, i) != ("Div", 1)))
def _pixels(node: ir.Node) -> Wanted | None:
    """A model that normalises by itself, (x - 127) / 128 or x * (1 / 255), takes pixels."""
    for operand in node.inputs:
        tensor = None if operand is None else ir.convenience.get_const_tensor(operand)
        if tensor is None or tensor.size == 0 or tensor.size > 1024 or tensor.dtype.is_integer():
            continue
        size = float(np.mean(np.abs(tensor.numpy().astype(np.float64))))
        if (node.op_type == "Mul" and 1e-3 < size < 0.03) or (node.op_type != "Mul" and 32 < size < 512):
            return Wanted(0, 255)
    return None


def _below(size: int | None) -> Wanted:
    """Returns the indices into an axis; only the first one where its size is unknown."""
    return Wanted(0, max((size or 1) - 1, 0))


def _smallest(sizes: tuple[int | None, ...]) -> int | None:
    known = [size for size in sizes if size is not None]
    return min(known) if known and len(known) == len(sizes) else None


def _shape(value: ir.Value | None) -> tuple[int | None, ...] | None:
    if value is None or value.shape is None:
        return None
    return tuple(d if isinstance(d, int) else None for d in value.shape)


def _size(value: ir.Value | None, axis: int) -> int | None:
    shape = _shape(value)
    return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None


def _attribute(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else int(attribute.value)


def _is_integer(value: ir.Value | None) -> bool:
    return value is not None and value.dtype is not None and value.dtype.is_integer()
