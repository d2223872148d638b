"""Names the first node whose inputs agree while its output does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgekit.artifact import Delta, Divergence
from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.tolerance import default_tolerance, dtype_text, is_float
from edgekit.ir import Model, origin_of
from edgekit.runners import Array


@dataclass(frozen=True, slots=True)
class Localisation:
    """What the tensors inside say.

    Attributes:
        divergence: The first node that differs, `None` if no tensor that was compared does.
        compared: How many tensors were compared.
        unobserved: Names of tensors of the source model that were not, in its order.
    """

    divergence: Divergence | None
    compared: int
    unobserved: tuple[str, ...]


def observable_names(model: Model) -> tuple[str, ...]:
    """Returns the results of the nodes of the main graph, in its order."""
    return tuple(v.name for node in model.ir.graph for v in node.outputs if v.name)


def localise(
    model: Model,
    reference: Mapping[str, Array],
    actual: Mapping[str, Array],
    precisions: Sequence[str] = (),
) -> Localisation:
    """Finds the first node that differs, in topological order.

    Nothing before the first differing tensor differs, so whatever of its inputs was observed agrees.

    Args:
        model: The source model, its nodes sorted.
        reference: Tensors of the source model by name.
        actual: The same tensors of the artifact, in the source's layout, as far as it has them.
        precisions: Precisions that the artifact computes in, besides each tensor's own.
    """
    unobserved: list[str] = []
    compared = 0
    for node in model.ir.graph:
        for value in node.outputs:
            if not value.name:
                continue
            delta = _delta(value.name, reference, actual, precisions)
            if delta is None:
                unobserved.append(value.name)
                continue
            compared += 1
            if not delta.status.holds:
                hidden = _hidden_before(node, set(unobserved))
                found = Divergence(value.name, node.op_type, origin_of(node), delta, hidden)
                return Localisation(found, compared, tuple(unobserved))
    return Localisation(None, compared, tuple(unobserved))


def _delta(
    name: str, reference: Mapping[str, Array], actual: Mapping[str, Array], precisions: Sequence[str]
) -> Delta | None:
    if name not in reference or name not in actual:
        return None
    source, found = reference[name], actual[name]
    own, other = dtype_text(source.dtype), dtype_text(found.dtype)
    if own != other:
        if own == "string" or other == "string" or is_float(own) != is_float(other):
            return None  # such as integers that stand for reals: not the same quantity
        found = found.astype(source.dtype)  # the same quantity, kept in another width
    return compare_tensor(name, [(source, found)], default_tolerance(own, other, *precisions))


def _hidden_before(node: ir.Node, unobserved: set[str]) -> tuple[str, ...]:
    """Returns the unobserved tensors from which a node is reached without passing an observed one."""
    hidden: dict[str, None] = {}
    pending = [node]
    while pending:
        for value in pending.pop().inputs:
            if value is None or value.name not in unobserved or value.name in hidden:
                continue
            hidden[value.name] = None
            producer = value.producer()
            if producer is not None:
                pending.append(producer)
    return tuple(reversed(hidden))
