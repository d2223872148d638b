"""Compatibility: judges emitted ops by the rules of a target."""

from edgekit.compat.finding import (
    Evidence,
    Finding,
    JudgedNode,
    JudgedOp,
    Judgement,
    NodeVerdict,
    OpVerdict,
    Placement,
    Reason,
)
from edgekit.compat.judge import Subject, judge
from edgekit.compat.targets import all_targets, target

__all__ = [
    "Evidence",
    "Finding",
    "JudgedNode",
    "JudgedOp",
    "Judgement",
    "NodeVerdict",
    "OpVerdict",
    "Placement",
    "Reason",
    "Subject",
    "all_targets",
    "judge",
    "target",
]
