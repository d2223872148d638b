"""Vendors' compilers as oracles: where they place the ops of a file, and why.

Every tool runs in a process of its own and is optional. What it says is evidence, never a rule by itself.
"""

from __future__ import annotations

from edgekit.compat.oracle.base import ACCELERATOR, CPU, NOWHERE, Layer, Opinion, Oracle, Placement
from edgekit.compat.oracle.table import compiler_of, oracle_for, oracle_names, oracle_of

__all__ = [
    "ACCELERATOR",
    "CPU",
    "NOWHERE",
    "Layer",
    "Opinion",
    "Oracle",
    "Placement",
    "compiler_of",
    "oracle_for",
    "oracle_names",
    "oracle_of",
]
