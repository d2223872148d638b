"""The newest form of ops in an older opset, for the ONNX backend."""

from edgekit.passes.downgrade import inputs, meaning
from edgekit.passes.downgrade.lower import NAME, call
from edgekit.passes.downgrade.table import REVERSES, Unreachable, reverses

__all__ = ["NAME", "REVERSES", "Unreachable", "call", "inputs", "meaning", "reverses"]
