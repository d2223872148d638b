"""A node against the definition of its op: number of inputs and outputs, names and types of attributes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.importers.onnx_checks.findings import shown
from edgekit.importers.onnx_checks.tensor import Problem


@dataclass(frozen=True, slots=True)
class Signature:
    """What the definition of an op asks of a node.

    Attributes:
        inputs: Least and largest number of inputs.
        outputs: Least and largest number of outputs.
        required: Positions of inputs that must not be left out.
        attributes: Type number of each attribute, and whether it must be given.
    """

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    required: tuple[int, ...]
    attributes: Mapping[str, tuple[int, bool]]


@functools.lru_cache(maxsize=4096)
def signature(op_type: str, domain: str, opset: int) -> Signature | None:
    """Returns the signature of an op, or `None` when this opset of the domain does not define it."""
    from onnx import defs

    try:
        newest = min(max(opset, 1), 2**31 - 1)
        schema = defs.get_schema(op_type, max_inclusive_version=newest, domain=domain)
    except defs.SchemaError:
        return None
    if schema.deprecated:
        return None
    single = defs.OpSchema.FormalParameterOption.Single
    return Signature(
        inputs=(schema.min_input, schema.max_input),
        outputs=(schema.min_output, schema.max_output),
        required=tuple(i for i, p in enumerate(schema.inputs) if p.option == single),
        attributes={k: (int(a.type.value), a.required) for k, a in schema.attributes.items()},
    )


def check_node(node: Any, opset: int) -> Iterator[Problem]:
    """Checks one `onnx.NodeProto` of a domain that ONNX defines.

    Args:
        node: The node.
        opset: Version of its domain that the graph imports.

    Yields:
        EK104 for each deviation. An op that is not defined yields nothing: that is for the lowering.
    """
    domain = "" if node.domain == "ai.onnx" else node.domain
    expected = signature(node.op_type, domain, opset)
    if expected is None:
        return
    op = f"{shown(node.op_type)} of opset {opset}"
    for what, count, (low, high) in (
        ("input", len(node.input), expected.inputs),
        ("output", len(node.output), expected.outputs),
    ):
        if not low <= count <= high:
            allowed = (
                f"{low}" if low == high else f"{low} to {high}" if high < 2**31 - 1 else f"at least {low}"
            )
            yield "EK104", f"{op} takes {allowed} {what}s, not {count}"
    if any(i < len(node.input) and node.input[i] == "" for i in expected.required):
        yield "EK104", f"{op} leaves out an input that it needs"
    yield from _check_attributes(node, expected, op)


def _check_attributes(node: Any, expected: Signature, op: str) -> Iterator[Problem]:
    given = {a.name: a.type for a in node.attribute}
    for name, type_ in given.items():
        if name not in expected.attributes:
            if not name.startswith("__"):  # the prefix for attributes that a tool keeps for itself
                yield "EK104", f"{op} has no attribute {shown(name)}"
        elif expected.attributes[name][0] != type_:
            yield "EK104", f"the attribute {shown(name)} of {op} has the wrong type"
    for name, (_, required) in expected.attributes.items():
        if required and name not in given:
            yield "EK104", f"{op} needs the attribute {shown(name)}"
