"""An `AttributeProto`: exactly the field that its type says, and what lies in it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from edgekit.importers.onnx_checks.findings import shown
from edgekit.importers.onnx_checks.tensor import Problem, check_tensor
from edgekit.importers.onnx_checks.types import check_type

GRAPH = 5
GRAPHS = 10
SPARSE_TENSOR = 11

_FIELD_OF = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    GRAPH: "g",
    6: "floats",
    7: "ints",
    8: "strings",
    9: "tensors",
    GRAPHS: "graphs",
    SPARSE_TENSOR: "sparse_tensor",
    12: "sparse_tensors",
    13: "tp",
    14: "type_protos",
}
"""The field that holds the value of an attribute type. Source: onnx.proto, `AttributeProto`."""

_VALUE_FIELDS = frozenset(_FIELD_OF.values())


def check_attribute(attribute: Any, parameters: Collection[str] | None) -> Problem | None:
    """Checks one `onnx.AttributeProto`, but not the graphs in it.

    Args:
        attribute: The attribute.
        parameters: Attributes of the function that its node belongs to, which it may refer to; `None`
            outside of a function.

    Returns:
        The first problem, or `None`.
    """
    name = shown(attribute.name)
    field = _FIELD_OF.get(attribute.type)
    if field is None:
        return "EK104", f"the attribute {name} has no type"
    used = [d.name for d, _ in attribute.ListFields() if d.name in _VALUE_FIELDS]
    if attribute.ref_attr_name:
        if parameters is None or attribute.ref_attr_name not in parameters or used:
            return "EK104", f"the attribute {name} refers to a parameter that no function has"
        return None
    if any(u != field for u in used):
        return "EK104", f"the attribute {name} has a value of another type than it says"
    return _check_content(attribute, name)


def _check_content(attribute: Any, name: str) -> Problem | None:
    kind = _FIELD_OF[attribute.type]
    if kind in ("t", "tensors"):
        for tensor in [attribute.t] if kind == "t" else attribute.tensors:
            if problem := check_tensor(tensor):
                return problem
        if kind == "tensors" and any(t.data_location for t in attribute.tensors):
            return "EK115", f"the attribute {name} keeps a list of tensors outside of the file"
    if kind == "sparse_tensors":
        return "EK115", f"the attribute {name} holds a list of sparse tensors"
    if kind in ("tp", "type_protos"):
        for type_ in [attribute.tp] if kind == "tp" else attribute.type_protos:
            if problem := check_type(type_, f"the attribute {name}"):
                return problem
    if kind == "strings" and not all(_is_text(s) for s in attribute.strings):
        return "EK103", f"the attribute {name} has a text that is not UTF-8"
    return None


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
