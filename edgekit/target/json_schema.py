"""The JSON Schema of descriptors as they are written: with short forms of rules and inherited keys."""

from __future__ import annotations

from typing import Any

from edgekit.target.catalogue import TYPES, Catalogue, RuleSpec
from edgekit.target.rule_form import ANY_OF
from edgekit.target.schema import OpEntry, RuleUse, Target

_CONSTANT = {"type": "string", "pattern": r"^\$"}


def json_schema(rules: Catalogue, graph_rules: Catalogue) -> dict[str, Any]:
    """Returns the schema, draft 2020-12.

    Args:
        rules: The rules that op tables may name.
        graph_rules: The rules that `graph` may name.
    """
    schema = Target.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    definitions.pop("RuleUse", None)
    definitions["rule"] = _rule(rules, alternatives=True)
    definitions["graphRule"] = _rule(graph_rules, alternatives=False)
    uses = {"type": ["array", "null"], "items": {"$ref": "#/$defs/rule"}}
    entry = definitions.pop(OpEntry.__name__)
    entry["properties"] |= {"rules": uses, "more_rules": uses}
    entry["type"] = ["object", "null"]
    definitions["op"] = entry
    properties = schema["properties"]
    properties |= {"rules": uses, "more_rules": uses}
    properties["graph"] = {"type": "array", "items": {"$ref": "#/$defs/graphRule"}}
    properties["ops"] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/op"}}
    schema["required"] = ["schema", "id"]  # the rest may come from what it extends
    for name, definition in definitions.items():
        if name != "Source":
            definition.pop("required", None)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "edgekit target descriptor"
    return schema


def _rule(catalogue: Catalogue, *, alternatives: bool) -> dict[str, Any]:
    plain = [spec.name for spec in catalogue.values() if not any(p.required for p in spec.params.values())]
    named: dict[str, Any] = {spec.name: _params(spec) for spec in catalogue.values()}
    if alternatives:
        uses = {"type": "array", "items": {"$ref": "#/$defs/rule"}}
        named[ANY_OF] = {"type": "array", "items": uses}
        named |= {"when": uses, "unless": uses}
    defined = RuleUse.model_json_schema()["$defs"]
    beside = {key: defined["RuleUse"]["properties"][key] for key in ("message", "source", "note")}
    beside |= {key.lower(): {"enum": defined[key]["enum"]} for key in ("Basis", "Outcome")}
    item = {"type": "object", "properties": {**named, **beside}, "additionalProperties": False}
    return {"anyOf": [{"enum": plain}, item]}


def _params(spec: RuleSpec) -> dict[str, Any]:
    described = spec.sentence.replace("{", "").replace("}", "")
    return {
        "type": ["object", "null"],
        "description": described,
        "properties": {p.name: {"anyOf": [TYPES[p.type][2], _CONSTANT]} for p in spec.params.values()},
        "required": [p.name for p in spec.params.values() if p.required],
        "additionalProperties": False,
    }
