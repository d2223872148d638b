"""Post-training quantisation in the hub IR: QDQ around the ops that have integer kernels."""

from edgekit.quantize.calibration import Calibration, Ranges, observe
from edgekit.quantize.islands import islands
from edgekit.quantize.methods import METHODS
from edgekit.quantize.pipeline import Forms, Plan, observed_names, quantize
from edgekit.quantize.roles import Roles
from edgekit.quantize.scheme import SCHEMES, Form, Numerics, Scheme, scheme_named
from edgekit.quantize.support import Native, in_blocks, native, schemes_of

__all__ = [
    "METHODS",
    "SCHEMES",
    "Calibration",
    "Form",
    "Forms",
    "Native",
    "Numerics",
    "Plan",
    "Ranges",
    "Roles",
    "Scheme",
    "in_blocks",
    "islands",
    "native",
    "observe",
    "observed_names",
    "quantize",
    "scheme_named",
    "schemes_of",
]
