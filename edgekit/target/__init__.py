"""Targets: what a chip and its toolchain take, as a descriptor says it."""

from edgekit.target.catalogue import Catalogue, Param, RuleSpec
from edgekit.target.load import Shelf, builtin_folder, load_target, shelf
from edgekit.target.schema import (
    Basis,
    Compute,
    Kind,
    Memory,
    Numerics,
    OpEntry,
    Otherwise,
    Outcome,
    RuleUse,
    Source,
    Target,
    Toolchain,
)

__all__ = [
    "Basis",
    "Catalogue",
    "Compute",
    "Kind",
    "Memory",
    "Numerics",
    "OpEntry",
    "Otherwise",
    "Outcome",
    "Param",
    "RuleSpec",
    "RuleUse",
    "Shelf",
    "Source",
    "Target",
    "Toolchain",
    "builtin_folder",
    "load_target",
    "shelf",
]
