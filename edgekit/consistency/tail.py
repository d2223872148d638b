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
from edgekit.consistency.steps import FAR, scale_behind
from edgekit.ir import Model
from edgekit.passes import dead_code
from edgekit.runners import Array

TRIALS = 8
LONGEST = 64
"""Nodes between the quantised tensors and the output; a longer tail is most of a model."""


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
    front: dict[str, float] = {}
    waiting, seen = [last], set[ir.Node]()
    while waiting:
        value = waiting.pop()
        if value is None or ir.convenience.get_const_tensor(value) is not None:
            continue
        node = value.producer()
        if node is None or any(
            a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in _attrs(node)
        ):
            return None
        if node.op_type == "DequantizeLinear" and not node.domain:
            if _is_constant(node):
                continue
            scale = scale_behind(node)
            if scale is None or not value.name:
                return None
            front[value.name] = scale
        elif node not in seen:
            seen.add(node)
            waiting += node.inputs
    return Tail(_cut(model, front, output), front) if front and 0 < len(seen) <= LONGEST else None


def settle(
    delta: Delta, tail: Tail, pairs: Sequence[Pair], samples: Sequence[Sample], source: Oracle
) -> Delta:
    """Turns a difference into a tie if steps at the front of the tail explain it.

    Args:
        delta: The comparison of a float output.
        tail: The end of the source model before it.
        pairs: The output of the source and the artifact, one pair per sample.
        samples: The samples.
        source: Runs the source model.

    Returns:
        The delta with the status `tie` if at most `FAR` of the elements are off by more, or as it was.
    """
    rng = np.random.default_rng(0)
    beyond = total = 0
    with Oracle(tail.model, isolate=True, timeout_s=300.0) as end:
        for sample, (reference, actual) in zip(samples, pairs, strict=True):
            if actual is None or actual.shape != reference.shape or not np.isfinite(actual).all():
                return delta
            inside = source.run(sample, list(tail.front))
            if any(name not in inside for name in tail.front):
                return delta
            moved = [end.run(_stepped(tail, inside, rng))[delta.tensor] for _ in range(TRIALS)]
            room = np.max([np.abs(m.astype(np.float64) - reference) for m in moved], axis=0)
            error = np.abs(actual.astype(np.float64) - reference)
            beyond += int(np.count_nonzero(error > room + (delta.limit or 0.0)))
            total += reference.size
    if beyond > FAR * total:
        return delta
    names = ", ".join(f"`{name}`" for name in tail.front)
    note = f"{beyond} of {total} elements are off by more than one quantisation step in {names} moves them"
    return replace(delta, status=Status.TIE, reason=None, notes=(*delta.notes, note))


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
        new = ir.Value(name=name, type=old.type, shape=old.shape)
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
