"""Keeps LiteRT from writing over a tensor that is still needed.

RESHAPE, EXPAND_DIMS, SQUEEZE and BITCAST do not copy: their result lies where their operand lies. An
op that computes in place (ADD, SUB, MUL, DIV, DYNAMIC_UPDATE_SLICE) checks whether its operand, or
what that is a view of, is needed later, but not what lies between: of `r = RESHAPE(x)`,
`a = RESHAPE(r)`, `ADD(a, 1)` the last destroys r. So no view is made of a view that has another use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.lowering.ledger import Emitted, Subgraph, Value

_RESHAPING = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
_VIEWS = (*_RESHAPING, "BITCAST")


def separate_views(graph: Subgraph) -> Subgraph:
    """Makes views of views from the tensor below, or of a copy where the dtype changes in between.

    Args:
        graph: A complete graph; nested ones are treated too.

    Returns:
        The graph, unchanged where there is nothing to do.
    """
    uses = Counter(v for op in graph.ops for v in op.inputs if v is not None) + Counter(graph.outputs)
    makers = {v: op for op in graph.ops for v in op.outputs}
    ops: list[Emitted] = []
    for op in graph.ops:
        inner = replace(op, attrs=_nested(op.attrs))
        ops += _separated(inner, makers, uses)
    return replace(graph, ops=tuple(ops))


def _nested(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {k: separate_views(v) if isinstance(v, Subgraph) else v for k, v in attrs.items()}


def _separated(op: Emitted, makers: Mapping[Value, Emitted], uses: Counter[Value]) -> list[Emitted]:
    source = op.inputs[0] if op.op in _VIEWS else None
    if source is None or uses[source] == 1 or not _is_view(source, makers):
        return [op]
    root, result = source, op.outputs[0]
    while root in makers and makers[root].op in _RESHAPING:
        root = _operand(makers[root])
    if op.op in _RESHAPING and not _is_view(root, makers) and result.shape.count(None) <= 1:
        return [_reshape(op, root, result)]
    copy = Value(source.dtype, source.shape, None, source.quant)
    ones = _ints([1] * source.rank)
    return [
        Emitted("TILE", (source, ones), (copy,), {}, op.origin),
        replace(op, inputs=(copy, *op.inputs[1:])),
    ]


def _is_view(value: Value, makers: Mapping[Value, Emitted]) -> bool:
    return value in makers and makers[value].op in _VIEWS


def _operand(op: Emitted) -> Value:
    source = op.inputs[0]
    assert source is not None
    return source


def _reshape(op: Emitted, source: Value, result: Value) -> Emitted:
    if op.op == "RESHAPE":  # its shape may be computed at run time
        return replace(op, inputs=(source, *op.inputs[1:]))
    sizes = [-1 if d is None else d for d in result.shape]
    return Emitted("RESHAPE", (source, _ints(sizes)), (result,), {"new_shape": sizes}, op.origin)


def _ints(numbers: list[int]) -> Value:
    data = np.asarray(numbers, np.int32)
    return Value(data.dtype, data.shape, data)
