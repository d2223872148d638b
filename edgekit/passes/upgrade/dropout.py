"""Dropout: inference only; the ratio becomes an input in version 12."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute, is_used
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Dropout", to=7)
def test_mode(maker: Maker) -> None:
    """Drops `is_test`; training has no place in a deployed model."""
    if not attribute(maker.node, "is_test", 0):
        raise refuse(maker.node, "it is in training mode (`is_test` is 0)")
    maker.node.attributes.pop("is_test", None)


@adapts("Dropout", to=10)
def unused_mask(maker: Maker) -> None:
    """The mask changes its dtype; what it holds at inference was not defined before version 12."""
    _drop_mask(maker)


@adapts("Dropout", to=12)
def ratio_as_input(maker: Maker) -> None:
    """At inference the ratio has no influence."""
    _drop_mask(maker)
    node = maker.node
    ratio = maker.const(attribute(node, "ratio", 0.5), ir.DataType.FLOAT, "ratio")
    node.attributes.pop("ratio", None)
    node.resize_inputs(2)
    node.replace_input_with(1, ratio)


def _drop_mask(maker: Maker) -> None:
    if any(is_used(v) for v in maker.node.outputs[1:]):
        raise refuse(maker.node, "its mask is used, which is not defined at inference")
    maker.node.resize_outputs(1)
