"""Types of the ops that hold subgraphs: If, Loop and Scan.

A loop-carried value may have another shape after each iteration. A shape is only stated in the body when
it is an inductive invariant: assuming it for the body's inputs, inference proves it for the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir

from edgekit.diagnostics import EdgekitError
from edgekit.ir.model import dims_of
from edgekit.ir.spec import Dim
from edgekit.passes.edit import attribute, constant, failure, operand, scalar, subgraphs
from edgekit.passes.inference import Inferred, infer

if TYPE_CHECKING:
    from edgekit.passes.sweep import Sweep

Sizes = tuple[Dim, ...] | None
ROUNDS = 4
"""Attempts at finding an invariant; each weakens what the one before could not prove."""


def if_(sweep: Sweep, node: ir.Node, version: int) -> tuple[Inferred, ...]:
    """States for each output what both branches agree on."""
    branches = [_graph(node, name, 0, len(node.outputs)) for name in ("then_branch", "else_branch")]
    for branch in branches:
        sweep.graph(branch, version)
    pairs = zip(*(branch.outputs for branch in branches), strict=True)
    return tuple(Inferred(a.type or b.type, _agree(dims_of(a.shape), dims_of(b.shape))) for a, b in pairs)


def loop(sweep: Sweep, node: ir.Node, version: int) -> tuple[Inferred, ...]:
    """Carried values keep what is invariant; scan outputs get an axis of the iterations in front."""
    body = _graph(node, "body", len(node.inputs), len(node.outputs) + 1)
    initial = list(node.inputs[2:])
    _declare(body.inputs[0], ir.TensorType(ir.DataType.INT64), ())
    _declare(body.inputs[1], ir.TensorType(ir.DataType.BOOL), ())
    carried = body.inputs[2:]
    shapes = _invariant(body, carried, initial, body.outputs[1 : 1 + len(initial)], version)
    for formal, actual, shape in zip(carried, initial, shapes, strict=True):
        _declare(formal, None if actual is None else actual.type, shape)
    sweep.graph(body, version)
    found = []
    for actual, shape, result in zip(initial, shapes, body.outputs[1:], strict=False):
        first = None if actual is None else dims_of(actual.shape)
        kind = result.type or (None if actual is None else actual.type)
        found.append(Inferred(kind, _agree(shape, first) if first is not None else shape))
    for result in body.outputs[1 + len(initial) :]:
        sizes = dims_of(result.shape)
        found.append(Inferred(result.type, None if sizes is None else (_trips(node, body), *sizes)))
    return tuple(found)


def scan(sweep: Sweep, node: ir.Node, version: int) -> tuple[Inferred, ...]:
    """The body sees one slice of each scan input; states keep their shape by definition."""
    body = _graph(node, "body", len(node.inputs), len(node.outputs))
    count = int(attribute(node, "num_scan_inputs", 0))
    states, scanned = node.inputs[: len(node.inputs) - count], node.inputs[len(node.inputs) - count :]
    for formal, actual in zip(body.inputs, states, strict=False):
        if actual is not None:
            _declare(formal, actual.type, dims_of(actual.shape))
    axes = _axes(node, "scan_input_axes", len(scanned))
    length: Dim = None
    for formal, actual, axis in zip(body.inputs[len(states) :], scanned, axes, strict=True):
        sizes = None if actual is None else dims_of(actual.shape)
        if actual is None:
            continue
        if sizes:
            position = axis % len(sizes)
            length = sizes[position] if not isinstance(length, int) else length
            sizes = sizes[:position] + sizes[position + 1 :]
        _declare(formal, actual.type, sizes)
    sweep.graph(body, version)
    found = [Inferred(None if v is None else v.type, None if v is None else dims_of(v.shape)) for v in states]
    outputs = body.outputs[len(states) :]
    out_axes = _axes(node, "scan_output_axes", len(outputs))
    for result, axis in zip(outputs, out_axes, strict=True):
        sizes = dims_of(result.shape)
        if sizes is not None:
            position = axis % (len(sizes) + 1)
            sizes = (*sizes[:position], length, *sizes[position:])
        found.append(Inferred(result.type, sizes))
    return tuple(found)


RULES: dict[str, Callable[[Sweep, ir.Node, int], tuple[Inferred, ...]]] = {
    "If": if_,
    "Loop": loop,
    "Scan": scan,
}


def _graph(node: ir.Node, name: str, inputs: int, outputs: int) -> ir.Graph:
    """Returns the graph of an attribute, held to the number of inputs and outputs that the node implies.

    Raises:
        EdgekitError: EK114 if it does not fit the node.
    """
    attr = node.attributes.get(name)
    if attr is None or attr.type != ir.AttributeType.GRAPH:
        raise failure("EK114", node, f"`{node.op_type}` has no graph `{name}`")
    graph = attr.as_graph()
    if len(graph.inputs) != inputs or len(graph.outputs) != outputs:
        found = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        message = f"`{name}` of `{node.op_type}` has {found}; the node needs {inputs} and {outputs}"
        raise failure("EK114", node, message)
    return graph


def _axes(node: ir.Node, name: str, count: int) -> Sequence[int]:
    axes = attribute(node, name) or (0,) * count
    if len(axes) != count:
        raise failure("EK114", node, f"`{name}` of `{node.op_type}` has {len(axes)} axes for {count} values")
    return tuple(axes)


def _invariant(
    body: ir.Graph,
    formals: Sequence[ir.Value],
    initial: Sequence[ir.Value | None],
    results: Sequence[ir.Value],
    version: int,
) -> list[Sizes]:
    shapes: list[Sizes] = [None if v is None else dims_of(v.shape) for v in initial]
    for _ in range(ROUNDS):
        for formal, actual, shape in zip(formals, initial, shapes, strict=True):
            _declare(formal, None if actual is None else actual.type, shape)
        if not _types_only(body, version):
            break
        weaker = [_agree(a, dims_of(r.shape)) for a, r in zip(shapes, results, strict=True)]
        if weaker == shapes:
            return shapes
        shapes = weaker
    return [None] * len(shapes)


def _types_only(graph: ir.Graph, version: int) -> bool:
    """Infers the types of a body without changing its nodes; `False` when that fails."""
    for node in graph:
        if subgraphs(node):
            found: Sequence[Inferred] = [Inferred(v.type, None) for v in node.outputs]
        else:
            try:
                found = infer(node, node.version or version)
            except EdgekitError:
                return False  # the assumed shapes do not hold; the caller falls back to none
        for value, inferred in zip(node.outputs, found, strict=True):
            _declare(value, inferred.type, inferred.shape)
    return True


def _declare(value: ir.Value, kind: ir.TypeProtocol | None, sizes: Sizes) -> None:
    value.type = kind if kind is not None else value.type
    value.shape = None if sizes is None else ir.Shape(sizes)


def _agree(a: Sizes, b: Sizes) -> Sizes:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def _trips(node: ir.Node, body: ir.Graph) -> Dim:
    """Returns the number of iterations when a constant count alone decides it."""
    count, condition = constant(operand(node, 0)), operand(node, 1)
    goes_on = body.outputs[0] is body.inputs[1] or bool(scalar(body.outputs[0]))
    producer = body.outputs[0].producer()
    if producer is not None and producer.op_type == "Identity":
        goes_on = producer.inputs[0] is body.inputs[1] or bool(scalar(producer.inputs[0]))
    starts = condition is None or bool(scalar(condition))
    return max(int(count.reshape(-1)[0]), 0) if count is not None and goes_on and starts else None
