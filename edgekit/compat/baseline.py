"""Baselines: the verdicts of all nodes as they were once accepted, so that only regressions fail.

`compat.lock` is JSON, sorted, one line for each node, so that a change of it is readable in a review.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.compat.check import Compatibility, Result
from edgekit.compat.finding import NodeVerdict
from edgekit.diagnostics import Where, error

SCHEMA = "edgekit.compat-lock/1"
RANKS = {
    NodeVerdict.NATIVE: 0,
    NodeVerdict.DECOMPOSED: 0,
    NodeVerdict.FALLBACK: 1,
    NodeVerdict.UNKNOWN: 2,
    NodeVerdict.UNSUPPORTED: 3,
}
"""How bad a verdict is; a node that gets a higher rank than before is a regression."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Accepted verdicts.

    Attributes:
        targets: By id of target and name of node.
    """

    targets: Mapping[str, Mapping[str, NodeVerdict]] = field(default_factory=dict)

    def regressions(self, result: Result) -> frozenset[str]:
        """Returns the nodes that are worse than they were; a new node should be accelerated."""
        known = self.targets.get(result.target.id, {})
        return frozenset(
            node.name
            for node in result.nodes
            if RANKS[node.verdict] > RANKS[known.get(node.name, NodeVerdict.NATIVE)]
        )


def write_baseline(found: Compatibility) -> str:
    """Returns the text of a baseline that accepts what was found."""
    targets = {
        r.target.id: {
            "toolchain": f"{r.target.toolchain.name} {r.target.toolchain.version}",
            "nodes": {n.name: str(n.verdict) for n in sorted(r.nodes, key=lambda n: n.name)},
        }
        for r in sorted(found.results, key=lambda r: r.target.id)
    }
    return json.dumps({"schema": SCHEMA, "model": found.candidate.name, "targets": targets}, indent=1) + "\n"


def read_baseline(path: Path) -> Baseline:
    """Reads a baseline.

    Raises:
        EdgekitError: EK101 if it cannot be opened, EK209 if it is none.
    """
    where = Where(str(path))
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        help = "write it with `--update-baseline`"
        raise error("EK101", f"`{path}` cannot be opened: {reason}", where=where, help=help) from failure
    except (ValueError, RecursionError) as failure:
        raise error("EK209", f"`{path}` is not JSON", where=where) from failure
    try:
        return _parsed(document)
    except (KeyError, TypeError, AttributeError, ValueError) as failure:
        raise error("EK209", f"`{path}` is not a baseline of `{SCHEMA}`", where=where) from failure


def _parsed(document: Any) -> Baseline:
    if document["schema"] != SCHEMA:
        raise ValueError(document["schema"])
    return Baseline(
        {
            target: {node: NodeVerdict(verdict) for node, verdict in entry["nodes"].items()}
            for target, entry in document["targets"].items()
        }
    )
