"""`@rule` and `@graph_rule`: one function is one constraint, its sentence message and documentation."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, Taken
from edgekit.target.catalogue import TYPES, Param, RuleSpec

Check = Callable[..., Finding | None]
GraphCheck = Callable[..., Mapping[int, Finding | Taken]]
F = TypeVar("F", Check, GraphCheck)


@dataclass(frozen=True, slots=True)
class Rule(RuleSpec):
    """A rule with its function.

    Attributes:
        check: Takes the facts (a graph for graph rules) and the parameters.
        needs: A fact without which it can never be decided: `window` or `axes`; empty for none.
    """

    check: Callable[..., Any]
    needs: str = ""

    def sentence_for(self, params: Mapping[str, Any]) -> str:
        """Returns the sentence with the parameters in place."""
        values = {name: _words(params.get(name, p.default)) for name, p in self.params.items()}
        return self.sentence.format(**values)


_RULES: dict[str, Rule] = {}
_GRAPH_RULES: dict[str, Rule] = {}


def rule(name: str, *, needs: str = "") -> Callable[[Check], Check]:
    """Registers a constraint on one op.

    The function takes `Facts` and keyword parameters and returns `None` if the constraint holds, else
    a finding: `fails(value)`, or `unknown(what)` where it cannot be decided. The first line of its
    docstring is what must hold. `needs` lets `edgekit target lint` find it on ops that have no such fact.
    """
    return _registered(name, _RULES, needs)


def graph_rule(name: str) -> Callable[[GraphCheck], GraphCheck]:
    """Registers a constraint on the placement of a whole graph.

    The function takes a `Placing` and keyword parameters and returns a finding for each op that breaks it, by
    the position of the op.
    """
    return _registered(name, _GRAPH_RULES, "")


def _registered(name: str, table: dict[str, Rule], needs: str) -> Callable[[F], F]:
    def register(function: F) -> F:
        if name in table:
            raise ValueError(f"the rule `{name}` is registered twice")
        sentence = (function.__doc__ or "").partition("\n")[0].strip()
        if not sentence:
            raise ValueError(f"the rule `{name}` has no sentence")
        params = {p.name: _param(p) for p in _keywords(function)}
        table[name] = Rule(name, sentence, params, function, needs)
        table[name].sentence_for({})  # a name in braces that is no parameter fails here
        return function

    return register


def _keywords(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            yield parameter


def _param(parameter: inspect.Parameter) -> Param:
    if parameter.annotation not in TYPES:
        raise ValueError(f"parameters of rules are of {sorted(TYPES)}, not {parameter.annotation}")
    required = parameter.default is inspect.Parameter.empty
    return Param(parameter.name, parameter.annotation, required, None if required else parameter.default)


@cache
def _load() -> None:
    import edgekit.compat.rules as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def rules() -> Mapping[str, Rule]:
    """Returns all rules on ops, by name."""
    _load()
    return _RULES


def graph_rules() -> Mapping[str, Rule]:
    """Returns all rules on graphs, by name."""
    _load()
    return _GRAPH_RULES


def _words(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "any" if value is None else str(value)


__all__ = ["Check", "Facts", "Finding", "Rule", "graph_rule", "graph_rules", "rule", "rules"]
