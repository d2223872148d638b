"""Ops on quantised integers become DequantizeLinear, the op on reals, QuantizeLinear: one form for all.

QLinearConv and its kin, and those that ONNX Runtime's quantiser adds in its own domain, say the same as the
op between DequantizeLinear and QuantizeLinear. Backends look for that form when they look for their integer
kernels. An op whose scales are computed at run time stays as it is.
"""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, all_graphs
from edgekit.passes.qoperator import integer_products, linear, movement
from edgekit.passes.qoperator.table import FORMS, Form, Stays
from edgekit.passes.report import PassReport

NAME = "unfold-qoperators"
VERSION = 21
"""The opset of the nodes made: the first that quantises to 16 bits."""


def call(model: ir.Model) -> PassReport:
    """Rewrites every op on quantised integers whose parameters are constants.

    Args:
        model: Changed in place; constants must be initializers.

    Returns:
        How many ops were rewritten.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            form = FORMS.get((node.domain, node.op_type))
            if form is not None:
                count += _rewrite(Maker(node), form)
    return PassReport(NAME, count, f"unfolded {count} ops on quantised integers")


def _rewrite(maker: Maker, form: Form) -> bool:
    try:
        form(maker)
    except Stays:
        assert not maker.made
        return False
    for node in maker.made:
        node.version = node.version or VERSION
    return True


__all__ = ["NAME", "call", "integer_products", "linear", "movement"]
