"""`PassReport`: what a pass changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass did to a graph.

    Attributes:
        name: The name of the pass, `fuse-batchnorm`.
        changed: How many things it changed; 0 means that the graph is as it was.
        summary: One short sentence for people, `folded 12 nodes`.
    """

    name: str
    changed: int
    summary: str
