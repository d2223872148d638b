"""Layout of a TFLite ledger: which tensors are stored NHWC, so that the fewest bytes are transposed."""

from edgekit.lowering.tflite.layout.arrange import arrange

__all__ = ["arrange"]
