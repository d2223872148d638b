"""Checks descriptors without a model: what loading cannot see because it is possible, but senseless."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgekit.compat.facts import Facts, facts_class
from edgekit.compat.rules import graph_rules, rules
from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where
from edgekit.target import RuleUse, Target, shelf
from edgekit.target.catalogue import near
from edgekit.target.load import load_target, locate, resolved
from edgekit.target.tree import PathIn, Tree

_WORDS = ("ifm", "ifm2", "ofm", "ifms", "ofms", "feature-maps", "all")
_ANY_OP = "*"


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in some descriptors.

    Attributes:
        checked: The ids that were looked at.
        problems: Errors end the use of a descriptor; warnings do not.
    """

    checked: tuple[str, ...]
    problems: tuple[Diagnostic, ...]


def lint(references: Sequence[str], folders: Sequence[Path] = ()) -> Linted:
    """Checks descriptors.

    Args:
        references: Ids or paths; none for all.
        folders: The project's own folders.

    Returns:
        Every problem of every descriptor, once: a family's are not repeated for what extends it.

    Raises:
        EdgekitError: EK208 if an id does not exist.
    """
    on = shelf(folders)
    names = list(references) or list(on.files())
    problems: dict[tuple[str, Where], Diagnostic] = {}
    for name in names:
        path = locate(name, on)
        try:
            target = load_target(name, rules(), graph_rules(), on)
            found = list(_Linter(target, resolved(path, on)).problems())
            if target.cpu is not None and target.cpu not in on.files():
                found.append(_cpu(target, resolved(path, on), on.files()))
        except EdgekitError as failure:
            found = list(failure.diagnostics)
        for problem in found:
            problems.setdefault((problem.message, problem.where), problem)
    ordered = sorted(problems.values(), key=lambda d: (d.where.file or "", d.where.line or 0))
    return Linted(tuple(names), tuple(ordered))


def _cpu(target: Target, tree: Tree, known: dict[str, Path]) -> Diagnostic:
    message = f"`cpu` names the target `{target.cpu}`, which does not exist"
    return Diagnostic("EK207", message, where=tree.where(("cpu",)), help=near(target.cpu or "", known))


class _Linter:
    def __init__(self, target: Target, tree: Tree) -> None:
        self.target = target
        self.tree = tree
        self.facts: type[Facts] = facts_class(target.dialect)

    def problems(self) -> Iterator[Diagnostic]:
        yield from self.unknown_ops()
        yield from self.unused_sources()
        yield from self.rules(self.target.rules, ("rules",), _ANY_OP)
        general = {_signature(use) for use in self.target.rules}
        for name, entry in self.target.ops.items():
            path: PathIn = ("ops", name, "rules")
            if not entry.accelerated and entry.rules and self.together(name, "accelerated", "rules"):
                yield self.warning(path, f"`{name}` is not accelerated, so that its rules are never asked")
            for i, use in enumerate(entry.rules):
                if _signature(use) in general:
                    yield self.warning((*path, i), f"`{use.rule}` holds for every op already")
            yield from self.rules(entry.rules, path, name)

    def unknown_ops(self) -> Iterator[Diagnostic]:
        known = op_names(self.target.dialect)
        for name in self.target.ops:
            if known and name not in known and ":" not in name:
                message = f"the dialect `{self.target.dialect}` has no op `{name}`"
                yield self.warning(("ops", name), message, near(name, dict.fromkeys(known)))

    def together(self, op: str, *keys: str) -> bool:
        """Tells whether keys of an op are written in one file, and not inherited into each other."""
        return len({self.tree.where(("ops", op, key)).file for key in keys}) == 1

    def unused_sources(self) -> Iterator[Diagnostic]:
        """Yields sources that nothing names; what a family does not name may serve what extends it."""
        if self.target.abstract:
            return
        used = {self.target.source, self.target.compute.source, self.target.numerics.source}
        for entry in self.target.ops.values():
            used |= {entry.source, *(use.source for use in entry.rules)}
        used |= {use.source for use in (*self.target.rules, *self.target.graph)}
        for key in self.target.sources:
            own = self.tree.where(("sources", key)).file == self.tree.where(("id",)).file
            if own and key not in used:
                yield self.warning(("sources", key), f"no row and no rule names the source `{key}`")

    def rules(self, uses: Sequence[RuleUse], path: PathIn, op: str) -> Iterator[Diagnostic]:
        seen: set[str] = set()
        for i, use in enumerate(uses):
            if _signature(use) in seen:
                yield self.warning((*path, i), f"`{use.rule}` is asked for twice")
            seen.add(_signature(use))
            for reason in self.senseless(use, op):
                yield self.warning((*path, i), reason)

    def senseless(self, use: RuleUse, op: str) -> Iterator[str]:
        """Says why a rule can never be decided, or can never hold."""
        for inner in (*use.when, *use.unless, *(one for branch in use.any_of for one in branch)):
            yield from self.senseless(inner, op)
        if use.any_of:
            return
        low, high = use.params.get("low"), use.params.get("high")
        if isinstance(low, int) and isinstance(high, int) and low > high and use.rule != "never":
            yield f"`{use.rule}` can never hold: {low} is above {high}"
        if op == _ANY_OP:
            return
        needs = rules()[use.rule].needs
        having = {"window": self.facts.WINDOWED, "axes": self.facts.ALONG_AXES}.get(needs)
        if having and op not in having:
            yield f"`{use.rule}` can never be decided: `{op}` has no {needs}"
        of = use.params.get("of")
        roles = set(self.facts.PARAMETERS.get(op, {}).values())
        if self.facts.PARAMETERS and isinstance(of, str) and of not in _WORDS and of not in roles:
            yield f"`{use.rule}` asks for `{of}`, which `{op}` does not have"

    def warning(self, path: PathIn, message: str, help: str | None = None) -> Diagnostic:
        return Diagnostic("EK207", message, Severity.WARNING, self.tree.where(path), help=help)


def _signature(use: RuleUse) -> str:
    return use.model_dump_json(exclude={"note", "message", "source", "basis"})


@cache
def op_names(dialect: str) -> frozenset[str]:
    """Returns the names of the ops of a dialect; none if the package that knows them is missing."""
    if dialect == "tflite":
        from edgekit.tflite.schema import tflite_schema

        return frozenset(n for n in vars(tflite_schema().BuiltinOperator) if not n.startswith("_"))
    if dialect == "onnx":
        import onnx

        every = onnx.defs.get_all_schemas_with_history()
        return frozenset(schema.name for schema in every if schema.domain == "")
    return frozenset()
