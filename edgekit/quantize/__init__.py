"""Post-training quantisation in the hub IR: QDQ around the ops that have integer kernels."""

from edgekit.quantize.calibration import Ranges, observe
from edgekit.quantize.pipeline import Plan, observed_names, quantize
from edgekit.quantize.scheme import METHODS, SCHEMES, Calibration, Scheme, scheme_named

__all__ = [
    "METHODS",
    "SCHEMES",
    "Calibration",
    "Plan",
    "Ranges",
    "Scheme",
    "observe",
    "observed_names",
    "quantize",
    "scheme_named",
]
