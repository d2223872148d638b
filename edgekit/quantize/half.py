"""Rounds weights to what float16 holds."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import constant, new_initializer, operand
from edgekit.passes.report import PassReport
from edgekit.quantize.roles import Role, Roles, weights_of

NAME = "round-weights-to-float16"


def call(model: ir.Model, roles: Roles) -> PassReport:
    """Rounds the weights of convolutions and products; they stay float32 tensors.

    Args:
        model: A prepared model; changed in place.
        roles: The roles of its nodes.

    Returns:
        How many were rounded. Weights beyond the largest float16 stay as they are.
    """
    limit, rounded, large = float(np.finfo(np.float16).max), 0, 0
    for node in tuple(model.graph):
        if roles.role(node) is not Role.WEIGHTED:
            continue
        place, data = weights_of(node), constant(operand(node, 1))
        assert place is not None
        assert data is not None
        if not np.abs(data).max(initial=0) <= limit:
            large += 1
            continue
        half = data.astype(np.float16).astype(np.float32)
        old = node.inputs[place.index]
        name = (old.name if old is not None else None) or "weights"
        node.replace_input_with(place.index, new_initializer(model.graph, half, f"{name}:half"))
        rounded += 1
    more = f", {large} exceed it and stay float32" if large else ""
    return PassReport(NAME, rounded, f"rounded {rounded} weights to float16{more}")
