"""Evaluation of nodes with constant inputs, by our own numpy kernels.

The table holds exactly the ops whose evaluation we trust: each is tested against ONNX Runtime. An op
that is missing here is never folded; random ops and DequantizeLinear (folding it would undo a
quantised model) are missing on purpose.
"""

from edgekit.passes.fold import arithmetic, generate, indexing, linear, logic, movement, quantize, reduce
from edgekit.passes.fold.table import KERNELS, Call, Decline, evaluate

__all__ = [
    "KERNELS",
    "Call",
    "Decline",
    "arithmetic",
    "evaluate",
    "generate",
    "indexing",
    "linear",
    "logic",
    "movement",
    "quantize",
    "reduce",
]
