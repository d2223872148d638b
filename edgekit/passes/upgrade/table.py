"""The table of adapters: (op, version) -> how to write the form before it in that version's form."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import onnx_ir as ir
from onnx import defs

from edgekit.diagnostics import EdgekitError
from edgekit.passes.edit import Maker, failure
from edgekit.passes.upgrade.unchanged import UNCHANGED

NEWEST = 28
"""The newest opset whose changes this table knows; `test_upgrade_table` holds it complete."""

Adapter = Callable[[Maker], None]
ADAPTERS: dict[tuple[str, int], Adapter] = {}


def adapts(*op_types: str, to: int) -> Callable[[Adapter], Adapter]:
    """Registers the decorated function for the step to a version of ops.

    The function changes `maker.node` in place or replaces it; nodes that it makes are in the form of
    opset `to`, and are brought further by their own adapters.

    Args:
        op_types: The ops, all with a schema of version `to`.
        to: The version whose form the function writes.
    """

    def register(function: Adapter) -> Adapter:
        for op_type in op_types:
            if (op_type, to) in ADAPTERS or op_type in UNCHANGED.get(to, frozenset()):
                raise ValueError(f"`{op_type}` to {to} is in the table twice")
            ADAPTERS[op_type, to] = function
        return function

    return register


def target_opset() -> int:
    """Returns the opset that models are brought to: the newest that onnx and the table both know."""
    return min(int(defs.onnx_opset_version()), NEWEST)


@cache
def versions_of(op_type: str) -> tuple[int, ...]:
    """Returns the versions of an op of the default domain, ascending; empty for an unknown op."""
    found: list[int] = []
    newest = int(defs.onnx_opset_version())
    while newest > 0 and defs.has(op_type, newest):
        found.append(int(defs.get_schema(op_type, newest, "").since_version))
        newest = found[-1] - 1
    return tuple(reversed(found))


def refuse(node: ir.Node, reason: str) -> EdgekitError:
    """Builds the error for an old form that has no equal in the newest opset."""
    return failure("EK108", node, f"`{node.op_type}` cannot be brought to the newest opset: {reason}")


def upgrade(node: ir.Node, version: int, target: int) -> tuple[list[ir.Node], bool]:
    """Brings a node of the default domain from one opset to another, step by step.

    Args:
        node: The node; changed in place or replaced. Its inputs should have types.
        version: The opset that it is written in.
        target: The opset wanted, not below `version`.

    Returns:
        The nodes that stand in its place, in order, and whether anything had to be rewritten.

    Raises:
        EdgekitError: EK108 for a step that the table does not know, or that has no equal form.
    """
    if node.domain or version >= target:
        return [node], False
    for to in versions_of(node.op_type):
        if not version < to <= target:
            continue
        adapter = ADAPTERS.get((node.op_type, to))
        if adapter is None:
            if node.op_type not in UNCHANGED.get(to, frozenset()):
                raise refuse(node, f"what changed in version {to} is not known")
            continue
        maker = Maker(node)
        adapter(maker)
        parts = maker.made if maker.replaced else [*maker.made, node]
        return [new for part in parts for new in upgrade(part, to, target)[0]], True
    return [node], False
