"""Each commutation lemma, executed: `T(s, O(x)) == O'(T(a, x))` bit for bit in LiteRT."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.emit import Signature, emit
from edgekit.lowering.tflite.layout.lemma import LEMMAS, Rewrite
from edgekit.lowering.tflite.layout.lemmas.reshape import flatten_columns
from edgekit.lowering.tflite.layout.network import load_lemmas

load_lemmas()

BOOLEAN = {"LOGICAL_NOT", "LOGICAL_AND", "LOGICAL_OR", "REDUCE_ANY", "REDUCE_ALL"}
INTEGER = {"BITWISE_XOR", "RIGHT_SHIFT"}
POSITIVE = {"LOG", "SQRT", "RSQRT", "POW"}
UNARY = {
    "ABS", "NEG", "SQUARE", "CEIL", "FLOOR", "ROUND", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "TANH",
    "LOGISTIC", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ELU", "HARD_SWISH", "LOGICAL_NOT",
    "ZEROS_LIKE", "SIGN", "GELU", "LEAKY_RELU",
}  # fmt: skip
BINARY = {
    "ADD", "SUB", "MUL", "DIV", "POW", "FLOOR_DIV", "FLOOR_MOD", "SQUARED_DIFFERENCE", "LOGICAL_AND",
    "LOGICAL_OR", "ATAN2", "BITWISE_XOR", "RIGHT_SHIFT", "MAXIMUM", "MINIMUM", "EQUAL", "NOT_EQUAL", "LESS",
    "LESS_EQUAL", "GREATER", "GREATER_EQUAL",
}  # fmt: skip
REDUCTIONS = {"MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL"}
SUMS = {"MEAN", "SUM", "REDUCE_PROD", "SOFTMAX", "LOG_SOFTMAX", "CUMSUM"}
FUSED = {"ADD", "SUB", "MUL", "DIV", "CONCATENATION"}
MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def make(op: str, shape: tuple[int, ...], draw: Any) -> tuple[Emitted, TFLiteBuilder]:
    """Emits one op of a kind on fresh inputs of a shape."""
    b = TFLiteBuilder()
    rank = len(shape)
    dtype = bool if op in BOOLEAN else np.int32 if op in INTEGER else np.float32
    x = b.value(dtype, shape)
    axis = draw(st.integers(0, rank - 1))
    fused = {"fused_activation_function": "NONE"} if op in FUSED else {}
    if op in UNARY:
        attrs = {"LEAKY_RELU": {"alpha": 0.2}, "GELU": {"approximate": False}}.get(op)
        b.op(op, [x], attrs)
    elif op in BINARY:
        kept = [d if op == "ATAN2" or draw(st.booleans()) else 1 for d in shape]
        other = b.value(dtype, shape) if draw(st.booleans()) else b.const(values(kept, dtype, op, 7))
        b.op(op, [x, other], fused or None)
    elif op == "PRELU":
        b.op(op, [x, b.const(np.linspace(0.1, 0.9, shape[-1]).astype(np.float32))])
    elif op == "SELECT_V2":
        b.op(op, [b.value(bool, shape), x, b.const(np.float32(2))])
    elif op == "CAST":
        b.cast(x, np.int32)
    elif op in REDUCTIONS:
        axes = sorted(draw(st.sets(st.integers(0, rank - 1), min_size=1, max_size=rank - 1)))
        b.op(op, [x, b.ints(axes)], {"keep_dims": draw(st.booleans())})
    elif op in ("ARG_MAX", "ARG_MIN"):
        left = shape[:axis] + shape[axis + 1 :]
        b.op(op, [x, b.ints(axis)], {"output_type": np.dtype(np.int32)}, dtype=np.int32, shape=left)
    elif op == "CONCATENATION":
        b.op(op, [x, b.const(values(shape, dtype, op, 3)), b.value(dtype, shape)], {"axis": axis, **fused})
    elif op in ("PAD", "PADV2", "MIRROR_PAD"):
        pads = [[i % 2, 1 if d > 1 else 0] if d > 1 else [0, 0] for i, d in enumerate(shape)]
        grown = tuple(d + sum(p) for d, p in zip(shape, pads, strict=True))
        extra = [b.const(np.float32(-3))] if op == "PADV2" else []
        attrs = {"mode": "REFLECT"} if op == "MIRROR_PAD" else None
        b.op(op, [x, b.ints(pads), *extra], attrs, dtype=dtype, shape=grown)
    elif op == "TILE":
        repeats = [1 + i % 2 for i in range(rank)]
        grown = tuple(d * r for d, r in zip(shape, repeats, strict=True))
        b.op(op, [x, b.ints(repeats)], dtype=dtype, shape=grown)
    elif op == "SLICE":
        sizes = tuple(max(1, d - i % 2) for i, d in enumerate(shape))
        b.op(
            op,
            [x, b.ints([d - s for d, s in zip(shape, sizes, strict=True)]), b.ints(sizes)],
            dtype=dtype,
            shape=sizes,
        )
    elif op == "STRIDED_SLICE":
        strides = [1 + i % 2 for i in range(rank)]
        sizes = tuple(-(-d // s) for d, s in zip(shape, strides, strict=True))
        masks = {**dict.fromkeys(MASKS, 0), "end_mask": 1 << axis, "begin_mask": 1}
        ends = [0 if i == axis else d for i, d in enumerate(shape)]
        attrs = {**masks, "offset": False}
        b.op(op, [x, b.ints([0] * rank), b.ints(ends), b.ints(strides)], attrs, dtype=dtype, shape=sizes)
    elif op == "SPLIT":
        parts = tuple(d // 2 if i == axis else d for i, d in enumerate(shape))
        halves = [(dtype, parts)] * 2 if shape[axis] % 2 == 0 else [(dtype, shape)]
        b.multi(op, [b.ints(axis), x], halves, {"num_splits": len(halves)})
    elif op == "SPLIT_V":
        sizes = [1, shape[axis] - 1] if shape[axis] > 1 else [1]
        parts_v = [(dtype, tuple(s if i == axis else d for i, d in enumerate(shape))) for s in sizes]
        b.multi(op, [x, b.ints(sizes), b.ints(axis)], parts_v, {"num_splits": len(sizes)})
    elif op == "REVERSE_V2":
        b.op(op, [x, b.ints([axis])])
    elif op == "CUMSUM":
        b.op(op, [x, b.ints(axis)], {"exclusive": True, "reverse": draw(st.booleans())})
    elif op == "GATHER":
        rows = [0, shape[axis] - 1, 0]
        grown = tuple(3 if i == axis else d for i, d in enumerate(shape))
        b.op(op, [x, b.ints(rows)], {"axis": axis, "batch_dims": 0}, dtype=dtype, shape=grown)
    elif op == "BROADCAST_TO":
        grown = tuple(3 if d == 1 else d for d in shape)
        b.op(op, [x, b.ints(grown)], dtype=dtype, shape=grown)
    elif op in ("SOFTMAX", "LOG_SOFTMAX"):
        b.op(op, [x], {"beta": 1.0} if op == "SOFTMAX" else None)
    elif op == "RESHAPE":
        b.reshape(x, draw(st.sampled_from(reshapes(shape))))
        if not b.ops:
            b.op(op, [x, b.ints(shape)], {"new_shape": list(shape)}, dtype=dtype, shape=shape)
    else:
        raise AssertionError(f"no case for `{op}`")
    return b.ops[-1], b


def reshapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes that split, merge, add and drop axes."""
    found = [shape, (int(np.prod(shape)),), (1, *shape), (*shape, 1), tuple(d for d in shape if d != 1)]
    for i in range(len(shape) - 1):
        found.append((*shape[:i], shape[i] * shape[i + 1], *shape[i + 2 :]))
    for i, d in enumerate(shape):
        if d % 2 == 0:
            found.append((*shape[:i], 2, d // 2, *shape[i + 1 :]))
    return [f for f in found if 0 < len(f) <= 5]


def values(shape: Any, dtype: Any, op: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype is bool:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype == np.int32:
        return rng.integers(1, 9, shape).astype(np.int32)
    data = rng.normal(size=shape) * 3
    return (np.abs(data) + 0.5 if op in POSITIVE or op.startswith("FLOOR_") else data).astype(np.float32)


def run(
    b: TFLiteBuilder, inputs: list[Value], outputs: tuple[Value, ...], data: list[np.ndarray]
) -> list[Any]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    graph = Subgraph("g", tuple(inputs), outputs, tuple(b.ops), {})
    names = Signature(tuple(f"x{i}" for i in range(len(inputs))), tuple(f"y{i}" for i in range(len(outputs))))
    _, payload = emit(graph, names)
    interpreter = Interpreter(
        model_content=payload, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), data, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def apply(op: Emitted, form: Rewrite, inputs: list[Value]) -> tuple[TFLiteBuilder, tuple[Value, ...]]:
    """Emits the op's form between transposes, so that it takes and gives what the op does."""
    b = TFLiteBuilder()
    fresh = dict(zip([v for v in op.inputs if v is not None and v.data is None], inputs, strict=True))
    operands: list[Value | None] = []
    for index, (value, perm) in enumerate(zip(op.inputs, form.inputs, strict=True)):
        if index in form.operands:
            operands.append(form.operands[index])
        elif value is None or value.data is not None:
            operands.append(value)
        else:
            operands.append(b.transpose(fresh[value], perm) if perm is not None else fresh[value])
    results = [(v.dtype, tuple(v.shape[k] for k in p)) for v, p in zip(op.outputs, form.outputs, strict=True)]
    return b, b.multi(op.op, operands, results, {**op.attrs, **form.attrs})


KINDS = sorted(set(LEMMAS) - {"QUANTIZE", "DEQUANTIZE"})


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_lemma_holds_when_executed(kind: str, data: Any) -> None:
    # few distinct sizes, so that equal dimensions, which hide a wrong permutation, are not the rule
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 4]), min_size=2, max_size=4)))
    op, b = make(kind, shape, data.draw)
    inputs = [v for v in op.inputs if v is not None and v.data is None]
    arrays = [
        values(v.shape, bool if v.dtype == bool else v.dtype, kind, 11 + i) for i, v in enumerate(inputs)
    ]
    position = next(i for i, v in enumerate(op.inputs) if v is inputs[-1])
    perm = data.draw(st.permutations(range(inputs[-1].rank)).map(tuple))
    form = LEMMAS[kind].forward(op, position, perm)
    if form is None:
        return
    assert form.inputs[position] == perm
    expected = run(b, inputs, op.outputs, arrays)
    fresh = [b.value(v.dtype, v.shape) for v in inputs]
    rewritten, results = apply(op, form, fresh)
    for want, got, moved in zip(expected, run(rewritten, fresh, results, arrays), form.outputs, strict=True):
        if kind in SUMS:  # the order of the terms is the kernel's choice
            np.testing.assert_allclose(got, want.transpose(moved), rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(got, want.transpose(moved))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_backward_form_is_a_forward_form(kind: str, data: Any) -> None:
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=2, max_size=4)))
    op, _ = make(kind, shape, data.draw)
    perm = data.draw(st.permutations(range(op.outputs[0].rank)).map(tuple))
    form = LEMMAS[kind].backward(op, 0, perm)
    if form is None:
        return
    assert form.outputs[0] == perm
    asked = [i for i, p in enumerate(form.inputs) if p is not None]
    for index in asked:
        again = LEMMAS[kind].forward(op, index, form.inputs[index])
        assert again is not None
        assert set(again.inputs) == set(form.inputs)


def test_every_lemma_says_something() -> None:
    """A lemma that always answers `None` would pass the tests above; none does."""
    for kind in KINDS:
        op, _ = make(kind, (2, 3, 4, 6), lambda strategy: find(strategy, lambda _: True))
        index = next(i for i, v in enumerate(op.inputs) if v is not None and v.data is None and v.rank == 4)
        found = [LEMMAS[kind].forward(op, index, p) for p in itertools.permutations(range(4))]
        assert sum(f is not None for f in found) > 1, kind


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.permutations([1, 2, 3]), st.lists(st.sampled_from([1, 2, 3, 4]), min_size=3, max_size=3))
def test_flattened_columns_follow_the_weights(order: list[int], sizes: list[int]) -> None:
    b = TFLiteBuilder()
    x = b.value(np.float32, (2, *sizes))
    y = b.reshape(x, (2, int(np.prod(sizes))))
    form = flatten_columns(b.ops[-1], (0, *order))
    assert form is not None
    assert form.columns is not None
    array = values(x.shape, np.float32, "", 5)
    flat = array.transpose(0, *order).reshape(y.shape[0], -1)
    np.testing.assert_array_equal(flat, array.reshape(2, -1)[:, list(form.columns)])
