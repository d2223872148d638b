"""Post-training quantisation in the hub IR: QDQ around the ops that have integer kernels."""

from edgekit.quantize.calibration import Calibration, Ranges, observe
from edgekit.quantize.methods import METHODS
from edgekit.quantize.pipeline import Plan, observed_names, quantize
from edgekit.quantize.scheme import SCHEMES, Form, Numerics, Scheme, scheme_named

__all__ = [
    "METHODS",
    "SCHEMES",
    "Calibration",
    "Form",
    "Numerics",
    "Plan",
    "Ranges",
    "Scheme",
    "observe",
    "observed_names",
    "quantize",
    "scheme_named",
]
