"""Models of one TFLite op, drawn at random or turned at one knob: what oracles are asked about."""

from __future__ import annotations

from edgekit.compat.oneop.draw import Draw, Knob
from edgekit.compat.oneop.model import OneOp
from edgekit.compat.oneop.table import one_op, op_names

__all__ = ["Draw", "Knob", "OneOp", "one_op", "op_names"]
