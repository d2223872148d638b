"""The wrapping contract: the stages around a model, and the reference that computes each of them."""

from edgekit.pipeline.contract import Contract, Step, load_contract, parse_contract, run_steps
from edgekit.pipeline.stage import Array, Geometry, Stage, Unfit, kinds, stage, to_uint8

__all__ = [
    "Array",
    "Contract",
    "Geometry",
    "Stage",
    "Step",
    "Unfit",
    "kinds",
    "load_contract",
    "parse_contract",
    "run_steps",
    "stage",
    "to_uint8",
]
