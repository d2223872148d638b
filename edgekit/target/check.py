"""Finds every mistake of a resolved descriptor: form, rules, parameters, sources, constants."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edgekit.diagnostics import Diagnostic
from edgekit.target.catalogue import Catalogue, RuleSpec, fitted, near
from edgekit.target.identity import Same
from edgekit.target.rule_form import ANY_OF, ASIDE, FormError, canonical
from edgekit.target.schema import OpEntry, Target
from edgekit.target.tree import PathIn, Tree


def checked(tree: Tree, rules: Catalogue, graph_rules: Catalogue) -> tuple[Target | None, list[Diagnostic]]:
    """Makes a target of a resolved descriptor.

    Args:
        tree: The descriptor on top of its families.
        rules: The rules that op tables may name.
        graph_rules: The rules that `graph` may name.

    Returns:
        The target, `None` if there are problems; and every mistake found, each at its line.
    """
    checker = _Checker(tree, rules, graph_rules)
    return checker.target(), checker.problems


_PLAIN = OpEntry()
"""`OP:` alone says that the op is taken as it is."""


@lru_cache(maxsize=4096)
def _sound(entry: Same, constants: str, rules: Same) -> OpEntry | None:
    """Returns an entry that has no mistakes, built once for all targets and ops that share it.

    Args:
        entry: As it is written; a list stands for its rules alone.
        constants: The constants that hold for it, as text.
        rules: The catalogue.

    Returns:
        `None` if there is a mistake; who asks then looks for it where it is written.
    """
    values = literal_eval(constants)
    checker = _Checker(Tree({"constants": values}), rules.value, {})
    written = {"rules": entry.value} if isinstance(entry.value, list) else entry.value
    fields = checker.entry_fields(written, ("ops", "?"))
    if checker.problems:
        return None
    try:
        return OpEntry.model_validate(fields)
    except ValidationError:
        return None


class _Checker:
    """Turns a tree into the fields of `Target`, collecting what is wrong on the way."""

    def __init__(self, tree: Tree, rules: Catalogue, graph_rules: Catalogue) -> None:
        self.tree = tree
        self.rules = rules
        self.graph_rules = graph_rules
        self.problems: list[Diagnostic] = [*tree.problems]

    def target(self) -> Target | None:
        """Returns the target, or `None` if there are problems."""
        value = self.tree.value
        if not isinstance(value, Mapping):
            self.problem((), "a descriptor is a mapping of keys to values")
            return None
        fields = dict(value)
        if fields.get("rules"):
            fields["rules"] = self.general(fields["rules"])
        if "graph" in fields:
            fields["graph"] = self.rule_list(fields["graph"], ("graph",), self.graph_rules)
        if isinstance(fields.get("ops"), Mapping):
            fields["ops"] = {name: self.entry(name, entry) for name, entry in fields["ops"].items()}
        target = self.validated(fields)
        self.sources()
        return None if self.problems else target

    def general(self, written: Any) -> Any:
        """Returns the rules for every op; the same objects for all targets that share them."""
        constants = repr(self.tree.value.get("constants"))
        known = _sound(Same(written), constants, Same(self.rules)) if isinstance(written, list) else None
        return self.rule_list(written, ("rules",), self.rules) if known is None else known.rules

    def entry(self, name: str, entry: Any) -> Any:
        """Returns the entry of one op, or the fields that have a mistake."""
        if entry is None:
            return _PLAIN
        known = None
        if isinstance(entry, Mapping):
            known = _sound(Same(entry), repr(self.tree.value.get("constants")), Same(self.rules))
        return known or self.entry_fields(entry, ("ops", name))

    def entry_fields(self, entry: Any, path: PathIn) -> Any:
        """Returns what `OpEntry` takes, with the short forms of rules written out."""
        if not isinstance(entry, Mapping) or "rules" not in entry:
            return entry
        return {**entry, "rules": self.rule_list(entry["rules"], (*path, "rules"), self.rules)}

    def rule_list(self, written: Any, path: PathIn, catalogue: Catalogue) -> list[dict[str, Any]]:
        if written is None:
            return []
        if not isinstance(written, list):
            self.problem(path, "a list of rules is expected")
            return []
        return [self.use(use, at, catalogue) for use, at in self.canonical(written, path)]

    def canonical(self, written: list[Any], path: PathIn) -> Iterator[tuple[dict[str, Any], PathIn]]:
        """Writes the short forms out; what has no form is reported and left out."""
        for i, one in enumerate(written):
            at = (*path, i)
            try:
                use = canonical(one, at)
            except FormError as mistake:
                self.problem(mistake.path, mistake.reason)
                continue
            yield use, at

    def use(self, use: dict[str, Any], path: PathIn, catalogue: Catalogue) -> dict[str, Any]:
        """Checks one rule and all in it, and puts constants for `$names`."""
        for key in ("when", "unless"):
            if key in use:
                use[key] = [self.use(u, (*path, key, i), catalogue) for i, u in enumerate(use[key])]
        if "any_of" in use:
            for i, branch in enumerate(use["any_of"]):
                use["any_of"][i] = [
                    self.use(u, (*path, ANY_OF, i, k), catalogue) for k, u in enumerate(branch)
                ]
            return use
        spec = catalogue.get(use["rule"])
        if spec is None:
            at = (*path, use["rule"])
            self.problem(at, f"there is no rule `{use['rule']}`", near(use["rule"], catalogue))
            return use
        return {**use, "params": self.params(spec, use.get("params", {}), (*path, spec.name))}

    def params(self, spec: RuleSpec, written: Mapping[str, Any], path: PathIn) -> dict[str, Any]:
        """Holds the parameters of a rule to those that it has."""
        given = {name: self.constant(value, (*path, name)) for name, value in written.items()}
        for name in sorted(given.keys() - spec.params.keys()):
            message = f"the rule `{spec.name}` has no parameter `{name}`"
            self.problem((*path, name), message, near(name, spec.params))
        for param in spec.params.values():
            if param.name not in given:
                if param.required:
                    self.problem(path, f"the rule `{spec.name}` needs the parameter `{param.name}`")
                continue
            try:
                given[param.name] = fitted(param, given[param.name])
            except ValueError as words:
                message = f"`{param.name}` of `{spec.name}` is {words}, not `{_short(given[param.name])}`"
                self.problem((*path, param.name), message)
        return given

    def constant(self, value: Any, path: PathIn) -> Any:
        if not (isinstance(value, str) and value.startswith("$")):
            return value
        constants = self.tree.value.get("constants") or {}
        if not isinstance(constants, Mapping) or value[1:] not in constants:
            known = constants if isinstance(constants, Mapping) else {}
            self.problem(path, f"there is no constant `{value[1:]}`", near(value[1:], known))
            return value
        return constants[value[1:]]

    def validated(self, fields: dict[str, Any]) -> Target | None:
        try:
            return Target.model_validate(fields)
        except ValidationError as failure:
            for mistake in failure.errors(include_url=False):
                self.mistake(mistake)
        return None

    def mistake(self, found: ErrorDetails) -> None:
        """Says what pydantic found in our words."""
        kind, path, value = found["type"], tuple(found["loc"]), found["input"]
        name = ".".join(map(str, path)) or "the descriptor"
        if kind == "missing":
            self.problem(path, f"the key `{name}` is missing")
        elif kind == "extra_forbidden":
            self.problem(path, f"there is no key `{name}`", near(str(path[-1]), _keys(path[:-1])))
        else:
            text = _WORDS.get(kind) or found["msg"].replace("'", "`")
            message = f"`{name}` is not valid: {text[:1].lower()}{text[1:]}, not `{_short(value)}`"
            self.problem(path, message, _advice(kind, value, found.get("ctx") or {}))

    def sources(self) -> None:
        """Holds every `source` to the keys of `sources`."""
        known = self.tree.value.get("sources")
        known = known if isinstance(known, Mapping) else {}
        for path, key in _named_sources(self.tree.value, ()):
            if not isinstance(key, str) or key not in known:
                self.problem(path, f"there is no source `{_short(key)}` in `sources`", near(str(key), known))

    def problem(self, path: PathIn, message: str, help: str | None = None) -> None:
        self.problems.append(Diagnostic("EK207", message, where=self.tree.where(path), help=help))


_WORDS = {
    "tuple_type": "a list is expected",
    "model_type": "a mapping is expected",
    "mapping_type": "a mapping is expected",
    "dict_type": "a mapping is expected",
    "bool_type": "true or false is expected",
    "int_type": "an integer is expected",
    "float_parsing": "a number is expected",
    "float_type": "a number is expected",
    "string_type": "text is expected",
}
"""Pydantic's types of mistakes in the words of YAML."""


def _advice(kind: str, value: Any, context: Mapping[str, Any]) -> str | None:
    if kind == "string_type" and isinstance(value, int | float):
        return f'write it in quotes: "{value}"'
    choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
    return near(str(value), dict.fromkeys(choices)) if kind in ("enum", "literal_error") else None


def _named_sources(value: Any, path: PathIn) -> Iterator[tuple[PathIn, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "source" and inner is not None:
                yield (*path, key), inner
            elif key not in ("params", "constants"):
                yield from _named_sources(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _named_sources(inner, (*path, i))


def _keys(path: PathIn) -> Mapping[str, Any]:
    """The keys that exist at a place of a descriptor."""
    from pydantic import BaseModel

    model: Any = Target
    if path[:1] == ("ops",) and len(path) == 2:
        model = OpEntry
    elif path and path[-2:-1] in (("rules",), ("graph",)):
        return dict.fromkeys(ASIDE)
    elif path:
        field = Target.model_fields.get(str(path[0]))
        found = None if field is None else field.annotation
        model = found if isinstance(found, type) and issubclass(found, BaseModel) else None
    if model is None:
        return {}
    return {field.alias or name: None for name, field in model.model_fields.items()}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
