"""Other forms of a model that a check looks at: quantised with assumed ranges, in half precision, resized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgekit.importers import fix_shapes
from edgekit.ir import Model
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph, TensorMap, Value
from edgekit.passes.edit import all_graphs
from edgekit.quantize import Plan, observed_names, quantize, scheme_named

ASSUMED_RANGE = (-4.0, 4.0)
"""The range that an activation is taken to have. Placement depends on dtypes, hardly on scales."""

_BOUNDED = {
    **dict.fromkeys(("Sigmoid", "Softmax", "HardSigmoid"), (0.0, 1.0)),
    "Tanh": (-1.0, 1.0),
    "Relu": (0.0, 4.0),
}
"""Ranges of ops that cannot leave them: integer kernels of these fix the scale of their result."""

QUANTISED = frozenset(
    ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
     "ConvInteger", "MatMulInteger")
)  # fmt: skip


def is_quantised(model: Model) -> bool:
    """Tells whether a model computes with quantised integers already."""
    return any(n.op_type in QUANTISED for n in ir.traversal.RecursiveGraphIterator(model.ir.graph))


def assumed_quantised(prepared: Model, scheme: str) -> Model:
    """Quantises a prepared float model as a target wants it, without data.

    Args:
        prepared: A model after `passes.prepare`.
        scheme: Name of the scheme.

    Returns:
        The QDQ model; weights have their true scales, activations assumed ones.

    Raises:
        EdgekitError: EK204 for an unknown scheme, EK403 if there is nothing to quantise.
    """
    chosen = scheme_named(scheme)
    plan = Plan.of(prepared)
    makers = {v.name: node.op_type for node in plan.model.ir.graph for v in node.outputs}
    ranges = {n: _BOUNDED.get(makers.get(n, ""), ASSUMED_RANGE) for n in observed_names(plan)}
    return quantize(plan, chosen, ranges)[0]


def resized(model: Model, shapes: Mapping[str, Sequence[int]]) -> Model:
    """Gives inputs other sizes than the model states; everything that follows from them is inferred anew.

    Args:
        model: An imported model; not changed.
        shapes: All sizes of an input, by its name.

    Raises:
        EdgekitError: EK202 for an unknown input or another number of axes.
    """
    work = model.ir.clone()
    for graph in all_graphs(work.graph):
        for node in graph:
            for value in node.outputs:
                value.shape = None
    for value in work.graph.inputs:
        if value.name in shapes and value.shape is not None:
            value.shape = ir.Shape([None] * len(value.shape))
    for value in work.graph.outputs:
        if value.shape is not None:
            value.shape = ir.Shape([None] * len(value.shape))
    return fix_shapes(replace(model, ir=work), shapes)


def halved(lowered: Lowered) -> Lowered:
    """Returns a ledger in which every float32 tensor of the main graph is float16, as packages store it."""
    half: dict[Value, Value] = {}

    def of(value: Value) -> Value:
        if value.dtype != np.float32:
            return value
        if value not in half:
            with np.errstate(over="ignore"):
                data = None if value.data is None else value.data.astype(np.float16)
            half[value] = Value(np.dtype(np.float16), value.shape, data, value.quant)
        return half[value]

    def halved_op(op: Emitted) -> Emitted:
        inputs = tuple(None if v is None else of(v) for v in op.inputs)
        return replace(op, inputs=inputs, outputs=tuple(map(of, op.outputs)))

    main = lowered.main
    ops = tuple(map(halved_op, main.ops))
    names = {of(v): name for v, name in main.names.items()}
    inputs, outputs = tuple(map(of, main.inputs)), tuple(map(of, main.outputs))
    tensors = {name: TensorMap(of(t.value), t.perm) for name, t in lowered.tensors.items()}
    return replace(
        lowered,
        main=Subgraph(main.name, inputs, outputs, ops, names),
        inputs=tuple(TensorMap(of(t.value), t.perm) for t in lowered.inputs),
        outputs=tuple(TensorMap(of(t.value), t.perm) for t in lowered.outputs),
        tensors=tensors,
    )
