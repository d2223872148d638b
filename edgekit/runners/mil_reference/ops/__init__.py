"""The ops by family; importing this fills the table."""

from edgekit.runners.mil_reference.ops import (
    activation,
    arithmetic,
    constant,
    convolution,
    gather,
    generation,
    linear,
    normalization,
    padding,
    pooling,
    reduction,
    shape,
    slicing,
    unary,
)

__all__ = [
    "activation",
    "arithmetic",
    "constant",
    "convolution",
    "gather",
    "generation",
    "linear",
    "normalization",
    "padding",
    "pooling",
    "reduction",
    "shape",
    "slicing",
    "unary",
]
