"""Decompositions: one node as a small stand-alone graph of simpler ops."""

from edgekit.passes.decompose.expand import expand
from edgekit.passes.decompose.table import DECOMPOSITIONS, decomposes

__all__ = ["DECOMPOSITIONS", "decomposes", "expand"]
