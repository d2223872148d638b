"""Judges a float output behind quantised tensors: a Softmax, a product, that nobody quantised.

Integer kernels may be one step off in the tensors at its front, and what lies between amplifies that. So the
source's own tail is run with every element at its front moved by one step, up or down at random, and the
artifact may be off by what that does to each element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from edgekit.artifact import Delta, Status
from edgekit.consistency.metrics import Pair
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.samples import Sample
from edgekit.consistency.steps import FAR, allowed_of, scale_behind
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.passes import dead_code
from edgekit.runners import Array

TRIALS = 8
LONGEST = 64
"""Nodes between the quantised tensors and the output; a longer tail is most of a model."""


FUNCTIONS = frozenset(
    ("Sigmoid", "Tanh", "Softmax", "HardSwish", "HardSigmoid", "Exp", "Log", "Sqrt", "Gelu", "Elu")
)
"""Functions of one tensor that can turn one step of it into several of their own."""
_GRAPHS = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a model that computes in float.

    Attributes:
        model: That end alone; its inputs are the tensors at its front.
        front: The distance between neighbouring values of each of these tensors, by name.
    """

    model: Model
    front: Mapping[str, float]


def tail_of(model: Model, output: str) -> Tail | None:
    """Cuts off the float end of a model before one output.

    Args:
        model: The source model.
        output: Name of a float output.

    Returns:
        The end; `None` if something in it is not behind tensors that are quantised per tensor, or it is long.
    """
    last = next((v for v in model.ir.graph.outputs if v.name == output), None)
    return _tail(model, output, [last])


def function_of(model: Model, output: str) -> Tail | None:
    """Cuts off the function behind which an output was quantised: a Sigmoid turns one step into several.

    Args:
        model: The source model.
        output: Name of an output behind DequantizeLinear.

    Returns:
        The function with both its roundings; `None` if the output is quantised behind something else.
    """
    last = next((v for v in model.ir.graph.outputs if v.name == output), None)
    for op in ("DequantizeLinear", "QuantizeLinear"):
        node = None if last is None else last.producer()
        if node is None or node.op_type != op or node.domain:
            return None
        last = node.inputs[0]
    node = None if last is None else last.producer()
    return _tail(model, output, [last]) if node is not None and node.op_type in FUNCTIONS else None


def _tail(model: Model, output: str, waiting: list[ir.Value | None]) -> Tail | None:
    front: dict[str, float] = {}
    seen: set[ir.Node] = set()
    while waiting:
        value = waiting.pop()
        if value is None or ir.convenience.get_const_tensor(value) is not None:
            continue
        node = value.producer()
        if node is None or any(a.type in _GRAPHS for a in _attrs(node)):
            return None
        if node.op_type == "DequantizeLinear" and not node.domain:
            if _is_constant(node):
                continue
            scale = scale_behind(node)
            if scale is None or not value.name:
                return None
            front[value.name] = scale * allowed_of(node.inputs[0])
        elif node not in seen:
            seen.add(node)
            waiting += node.inputs
    return Tail(_cut(model, front, output), front) if front and 0 < len(seen) <= LONGEST else None


def settle(
    delta: Delta,
    tail: Tail,
    pairs: Sequence[Pair],
    samples: Sequence[Sample],
    source: Oracle,
    step: float = 0.0,
) -> Delta:
    """Turns a difference into a tie if steps at the front of the tail explain it.

    Args:
        delta: The comparison of a float output.
        tail: The end of the source model before it.
        pairs: The output of the source and the artifact, one pair per sample.
        samples: The samples.
        source: Runs the source model.
        step: Of the output itself, where it is quantised: its own rounding may fall on the other side too.

    Returns:
        The delta with the status `tie` if at most `FAR` of the elements are off by more, or as it was.
    """
    try:
        found = _beyond(delta, tail, pairs, samples, source, step)
    except EdgekitError as problem:
        note = f"its float end cannot be run alone: {problem.diagnostics[0].message}"
        return replace(delta, notes=(*delta.notes, note))
    if found is None:
        return delta
    beyond, total = found
    if beyond > FAR * total:
        return delta
    names = ", ".join(f"`{name}`" for name in tail.front)
    note = f"{beyond} of {total} elements are off by more than one quantisation step in {names} moves them"
    return replace(delta, status=Status.TIE, reason=None, notes=(*delta.notes, note))


def _beyond(
    delta: Delta, tail: Tail, pairs: Sequence[Pair], samples: Sequence[Sample], source: Oracle, step: float
) -> tuple[int, int] | None:
    """Returns how many elements are off by more than steps at the front explain, and how many there are."""
    fronts = [source.run(sample, list(tail.front)) for sample in samples]
    whole = all(name in inside for inside in fronts for name in tail.front)
    if not whole or any(a is None or a.shape != r.shape or not np.isfinite(a).all() for r, a in pairs):
        return None
    rng = np.random.default_rng(0)
    beyond = total = 0
    with Oracle(_ranked(tail.model, fronts[0]), isolate=True, timeout_s=300.0) as end:
        for inside, (reference, actual) in zip(fronts, pairs, strict=True):
            assert actual is not None
            moved = [end.run(_stepped(tail, inside, rng))[delta.tensor] for _ in range(TRIALS)]
            room = np.max([np.abs(m.astype(np.float64) - reference) for m in moved], axis=0)
            error = np.abs(actual.astype(np.float64) - reference)
            beyond += int(np.count_nonzero(error > room + step * 1.01 + (delta.limit or 0.0)))
            total += reference.size
    return beyond, total


def _ranked(model: Model, arrays: Mapping[str, Array]) -> Model:
    """Gives the inputs the ranks of arrays; a source model need not state any inside."""
    work = model.ir.clone()
    for value in work.graph.inputs:
        value.shape = ir.Shape([None] * arrays[value.name or ""].ndim)
    return replace(model, ir=work)


def _stepped(tail: Tail, inside: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    signs = {name: rng.choice((-1, 1), inside[name].shape) for name in tail.front}
    return {name: (inside[name] + signs[name] * np.float32(step)).astype(np.float32)
            for name, step in tail.front.items()}  # fmt: skip


def _cut(model: Model, front: Mapping[str, float], output: str) -> Model:
    work = model.ir.clone()
    made = {v.name: v for node in work.graph for v in node.outputs}
    inputs = []
    for name in front:
        old = made[name]
        new = ir.Value(name=name, type=old.type or ir.TensorType(ir.DataType.FLOAT), shape=old.shape)
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        old.name = f"{name}:before"
        inputs.append(new)
    work.graph.outputs[:] = [made[output]]
    dead_code.call(work)
    work.graph.inputs[:] = inputs
    return replace(model, ir=work, path=None, sha256=None)


def _attrs(node: ir.Node) -> Sequence[ir.Attr]:
    return [a for a in node.attributes.values() if isinstance(a, ir.Attr)]


def _is_constant(node: ir.Node) -> bool:
    return node.inputs[0] is not None and ir.convenience.get_const_tensor(node.inputs[0]) is not None
