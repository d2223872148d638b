"""What quantisation asks of each ONNX op: scales of its own, the same scale, a fixed one."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import onnx_ir as ir

from edgekit.diagnostics import error
from edgekit.passes.edit import attribute, constant, is_constant, only_consumer, operand, rank_of
from edgekit.quantize.scheme import EQUAL, Form, Scheme


class Role(enum.StrEnum):
    """How an op is quantised."""

    WEIGHTED = "weighted"
    """Constant int8 weights and an int32 bias."""
    FREE = "free"
    """Every operand and the result have scales of their own."""
    SAME = "same"
    """Operands and results share one scale."""
    FIXED = "fixed"
    """The result has a scale that the kernels fix."""


_FREE = frozenset(
    ("Add", "Sub", "Mul", "PRelu", "MatMul", "ReduceMean", "GlobalAveragePool", "HardSwish", "LeakyRelu",
     "Gelu")
)  # fmt: skip
_FIXED = frozenset(("Softmax", "Sigmoid", "Tanh"))
_SEVERAL = frozenset(("Add", "Sub", "Mul", "Concat", "MatMul", "PRelu"))
"""Ops all of whose operands are quantised like activations."""
_WEIGHT_AXIS = {"Conv": 0, "ConvTranspose": 1, "MatMul": 1}


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights of an op are.

    Attributes:
        index: Which operand holds them.
        axis: The axis of the output channels.
        summed: The only axis that is summed over, of a matrix; `None` of a kernel.
    """

    index: int
    axis: int
    summed: int | None = None


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles that a scheme gives the nodes of a graph.

    Attributes:
        scheme: The scheme.
        kept: Names of nodes that stay in float on request.
    """

    scheme: Scheme
    kept: frozenset[str] = frozenset()

    @classmethod
    def of(cls, graph: ir.Graph, scheme: Scheme, keep: frozenset[str] = frozenset()) -> Roles:
        """Takes in what is to stay in float; an op and the limit that it takes in are one.

        Args:
            graph: The main graph of a prepared model.
            scheme: The scheme.
            keep: Names of nodes.

        Raises:
            EdgekitError: EK204 for a name that no node has.
        """
        unknown = sorted(keep - {node.name for node in graph})
        if unknown:
            raise error(
                "EK204", f"the model has no node `{unknown[0]}`", help="names are of the prepared model"
            )
        pairs = [
            {node.name, after.name}
            for node in graph
            if is_fused(node.outputs[0]) and (after := only_consumer(node.outputs[0])) is not None
        ]
        together = (name for pair in pairs if pair & keep for name in pair)
        return cls(scheme, keep | frozenset(name for name in together if name))

    def role(self, node: ir.Node) -> Role | None:
        """Returns the role of a node; `None` if it stays in float."""
        found = None if node.name in self.kept else role_of(node)
        if self.scheme.form is not Form.QDQ:
            return found if found is Role.WEIGHTED else None
        is_free = found is Role.SAME and node.op_type not in self.scheme.numerics.equal
        return Role.FREE if is_free else found


def role_of(node: ir.Node) -> Role | None:
    """Returns the role that a node may have; `None` if it always stays in float."""
    if node.domain or any(
        v is not None and v.dtype not in (ir.DataType.FLOAT, None) for v in node.outputs[:1]
    ):
        return None
    if node.op_type in _FIXED:
        return Role.FIXED
    if weights_of(node) is not None:
        return Role.WEIGHTED
    if node.op_type in _FREE:
        return Role.FREE if _has_real_operands(node) else None
    if node.op_type in EQUAL and _is_plain(node):
        return None if _has_extra_outputs(node) else Role.SAME
    return None


def _has_real_operands(node: ir.Node) -> bool:
    return node.op_type != "MatMul" or all((rank_of(v) or 0) >= 2 for v in node.inputs)


def weights_of(node: ir.Node) -> Weights | None:
    """Returns the constant weights of a node that has some, in a form with integer kernels."""
    if node.op_type not in ("Conv", "ConvTranspose", "MatMul", "Gemm") or not is_constant(operand(node, 1)):
        return None
    if is_constant(operand(node, 0)) or not (operand(node, 2) is None or is_constant(operand(node, 2))):
        return None
    if node.op_type == "MatMul" and (rank_of(operand(node, 1)) != 2 or (rank_of(operand(node, 0)) or 0) < 2):
        return None
    if node.op_type == "ConvTranspose" and attribute(node, "group", 1) != 1:
        return None
    if node.op_type == "Gemm":
        plain = attribute(node, "alpha", 1.0) == 1 and attribute(node, "beta", 1.0) == 1
        axis = 0 if attribute(node, "transB", 0) else 1
        return Weights(1, axis, 1 - axis) if plain else None
    return Weights(1, _WEIGHT_AXIS[node.op_type], 0 if node.op_type == "MatMul" else None)


def data_inputs(node: ir.Node) -> list[ir.Value]:
    """Returns the operands of a node that are quantised like activations, constants among them."""
    several = node.op_type in _SEVERAL and weights_of(node) is None
    taken = node.inputs if several else node.inputs[:1]
    return [v for v in taken if v is not None and v.dtype == ir.DataType.FLOAT]


def is_fused(value: ir.Value) -> bool:
    """Tells whether a value is limited by the op that makes it, so that only the limited one is quantised."""
    after = only_consumer(value)
    before = value.producer()
    if after is None or before is None or value.is_graph_output() or after.op_type not in ("Relu", "Clip"):
        return False
    if any(not is_constant(v) for v in after.inputs[1:] if v is not None) or after.inputs[0] is not value:
        return False
    return role_of(before) is Role.WEIGHTED or before.op_type in ("Add", "Sub", "Mul")


def _has_extra_outputs(node: ir.Node) -> bool:
    used = [v for v in node.outputs[1:] if v.uses() or v.is_graph_output()]
    return node.op_type != "Split" and bool(used)


def _is_plain(node: ir.Node) -> bool:
    """Tells whether an op that usually moves elements adds no numbers of its own."""
    if node.op_type == "Resize":
        return attribute(node, "mode", "nearest") in ("nearest", "linear")
    if node.op_type != "Pad":
        return True
    fill = operand(node, 2)
    data = constant(fill)
    zeros = fill is None or (data is not None and not data.any())
    return attribute(node, "mode", "constant") == "constant" and zeros
