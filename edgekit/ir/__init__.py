"""The hub: `onnx_ir.Model` with origins, and the specs of its tensors."""

from edgekit.ir.model import LABELS_KEY, ROUNDED_AT_RUN_TIME, Model, dims_of, numpy_dtype, spec_of
from edgekit.ir.origin import ORIGIN_KEY, Origin, inherit, origin_of, set_origin
from edgekit.ir.spec import Dim, Layout, Quant, TensorSpec

__all__ = [
    "LABELS_KEY",
    "ORIGIN_KEY",
    "ROUNDED_AT_RUN_TIME",
    "Dim",
    "Layout",
    "Model",
    "Origin",
    "Quant",
    "TensorSpec",
    "dims_of",
    "inherit",
    "numpy_dtype",
    "origin_of",
    "set_origin",
    "spec_of",
]
