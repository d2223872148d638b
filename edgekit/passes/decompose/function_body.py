"""The function body that ONNX's own schema gives for an op, as a function of the hub IR."""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx import defs

from edgekit.passes.edit import attribute
from edgekit.passes.inference import schema_of, type_proto

DOMAIN = "edgekit.body"
"""Domain under which a body is called, so that a body may use its own op's name."""


def function_body(node: ir.Node, version: int) -> ir.Function | None:
    """Returns the body of a node's op.

    Args:
        node: A node with typed inputs.
        version: The opset of its domain that it is written in.

    Returns:
        The body as a function of the domain `DOMAIN`; its nodes are in the opset that it imports.
        `None` when the schema has none, or none for these inputs.
    """
    schema = schema_of(node.op_type, version, node.domain)
    if schema is None or any(v is not None and v.type is None for v in node.inputs):
        return None
    text = _plain(schema, version) or _for_types(schema, node, version)
    if not text:
        return None
    proto = onnx.FunctionProto.FromString(text)
    proto.domain = DOMAIN
    _fill_missing_outputs(proto, len(node.outputs))
    return ir.serde.deserialize_function(proto)


def _fill_missing_outputs(proto: onnx.FunctionProto, count: int) -> None:
    """A body may leave out what the node leaves out; an empty constant keeps the outputs in place."""
    del proto.output[count:]
    made = {name for part in proto.node for name in part.output} | set(proto.input)
    for name in proto.output:
        if name not in made:
            proto.node.append(onnx.helper.make_node("Constant", [], [name], value_ints=[]))


def fill_defaults(node: ir.Node, version: int) -> None:
    """Writes down the default attributes of a node, which a body refers to.

    Args:
        node: Changed in place.
        version: The opset of its domain that it is written in.
    """
    schema = schema_of(node.op_type, version, node.domain)
    if schema is None:
        return
    for name, attr in schema.attributes.items():
        if attribute(node, name) is None and attr.default_value.name:
            node.attributes[name] = ir.serde.deserialize_attribute(attr.default_value)


def _plain(schema: defs.OpSchema, version: int) -> bytes | None:
    versions = [v for v in schema.function_opset_versions if v <= version]
    if not schema.has_function or not versions:
        return None
    return bytes(schema.get_function_with_opset_version(max(versions)))


def _for_types(schema: defs.OpSchema, node: ir.Node, version: int) -> bytes | None:
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= version]
    if not schema.has_context_dependent_function or not versions:
        return None
    types = [b"" if v is None else type_proto(v).SerializeToString() for v in node.inputs]
    proto = ir.serde.serialize_node(node)
    return bytes(
        schema.get_context_dependent_function_with_opset_version(
            max(versions), proto.SerializeToString(), types
        )
    )
