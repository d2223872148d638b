"""The wrapping contract: the ordered stages around a model, in one file that everybody reads."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.pipeline.stage import Array, Stage, Unfit, kinds
from edgekit.target.tree import PathIn, Tree, parse_tree, read_tree

SCHEMA = 1
MODEL = "model"
"""Where the model stands among the stages."""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a contract.

    Attributes:
        name: Unique in the contract; the stage's kind unless it says otherwise.
        stage: What it computes; `None` for the model.
    """

    name: str
    stage: Stage | None


@dataclass(frozen=True, slots=True)
class Contract:
    """The logic around a model.

    Attributes:
        steps: In the order in which they run; at most one of them is the model.
    """

    steps: tuple[Step, ...]

    @property
    def before(self) -> tuple[Step, ...]:
        """The steps up to the model; all if there is none."""
        return self.steps[: self._model_at()]

    @property
    def after(self) -> tuple[Step, ...]:
        """The steps behind the model."""
        return self.steps[self._model_at() + 1 :]

    def _model_at(self) -> int:
        return next((i for i, step in enumerate(self.steps) if step.stage is None), len(self.steps))

    def sha256(self) -> str:
        """Returns the hash of what the contract says, whatever its file looks like."""
        return hashlib.sha256(json.dumps(self.to_list(), sort_keys=True).encode()).hexdigest()

    def to_list(self) -> list[dict[str, Any]]:
        """Returns the JSON form of the steps."""
        return [
            {"name": s.name, "kind": MODEL if s.stage is None else s.stage.kind,
             "parameters": {} if s.stage is None else dict(s.stage.parameters())}
            for s in self.steps
        ]  # fmt: skip


def run_steps(steps: Sequence[Step], value: Array) -> dict[str, Array]:
    """Runs stages one after the other.

    Args:
        steps: None of them is the model.
        value: What the first one takes.

    Returns:
        What each gives, by its name.

    Raises:
        Unfit: If a stage is not defined on what it is given; the text names the step.
    """
    values: dict[str, Array] = {}
    for step in steps:
        if step.stage is None:
            raise ValueError("the model is not a stage that can be run here")
        try:
            value = step.stage.apply(value)
        except Unfit as raised:
            raise Unfit(f"step `{step.name}`: {raised}") from raised
        values[step.name] = value
    return values


def with_stage(steps: Sequence[Step], index: int, stage: Stage) -> tuple[Step, ...]:
    """Returns the steps with another stage in one place."""
    return (*steps[:index], replace(steps[index], stage=stage), *steps[index + 1 :])


def load_contract(path: Path) -> Contract:
    """Reads a contract.

    Raises:
        EdgekitError: EK101 if the file cannot be read, EK211 with everything that is wrong in it.
    """
    return contract_of(read_tree(path))


def parse_contract(text: str, file: str = "pipeline.yaml") -> Contract:
    """Reads a contract from a text.

    Raises:
        EdgekitError: EK211 with everything that is wrong in it.
    """
    return contract_of(parse_tree(text, file))


def contract_of(tree: Tree) -> Contract:
    """Makes a contract of a YAML document.

    Raises:
        EdgekitError: EK211 with everything that is wrong in it.
    """
    reader = _Reader(tree)
    contract = reader.contract()
    if reader.problems:
        raise EdgekitError(*reader.problems)
    return contract


class _Reader:
    """Turns a document into steps, collecting what is wrong on the way."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.kinds = kinds()
        self.problems: list[Diagnostic] = []

    def contract(self) -> Contract:
        root = self.tree.value
        if not isinstance(root, Mapping):
            self.problem((), "a contract is a mapping with `schema` and `stages`")
            return Contract(())
        for key in root.keys() - {"schema", "stages"}:
            self.problem((key,), f"a contract has no key `{key}`", self.near(key, ("schema", "stages")))
        if root.get("schema") != SCHEMA:
            self.problem(("schema",), f"`schema` must be {SCHEMA}")
        stages = root.get("stages")
        if not isinstance(stages, list) or not stages:
            self.problem(("stages",), "`stages` must be a list of at least one stage")
            return Contract(())
        steps = [s for i, entry in enumerate(stages) if (s := self.step(entry, ("stages", i))) is not None]
        self.unique(steps)
        return Contract(tuple(step for step, _ in steps))

    def step(self, entry: Any, path: PathIn) -> tuple[Step, PathIn] | None:
        if isinstance(entry, str):
            entry = {entry: None}
        if not isinstance(entry, Mapping) or len(entry) != 1:
            self.problem(path, "a stage is its kind, or its kind with parameters")
            return None
        ((kind, given),) = entry.items()
        if kind != MODEL and kind not in self.kinds:
            self.problem((*path, kind), f"there is no stage `{kind}`", self.near(kind, (MODEL, *self.kinds)))
            return None
        if given is not None and not isinstance(given, Mapping):
            self.problem((*path, kind), f"the parameters of `{kind}` must be a mapping")
            return None
        parameters = dict(given or {})
        name = parameters.pop("name", kind)
        if not isinstance(name, str):
            self.problem((*path, kind, "name"), "a name must be a text")
            return None
        if kind == MODEL:
            for key in parameters:
                self.problem((*path, kind, key), f"`{MODEL}` has no parameter `{key}`")
            return Step(name, None), path
        stage = self.stage(kind, parameters, (*path, kind))
        return None if stage is None else (Step(name, stage), path)

    def stage(self, kind: str, parameters: dict[str, Any], path: PathIn) -> Stage | None:
        cls = self.kinds[kind]
        known = tuple(cls.__dataclass_fields__)
        unknown = [key for key in parameters if key not in known]
        for key in unknown:
            self.problem((*path, key), f"`{kind}` has no parameter `{key}`", self.near(key, known))
        needed = [f.name for f in fields(cls) if f.default is MISSING and f.name not in parameters]
        for key in needed:
            self.problem(path, f"`{kind}` needs the parameter `{key}`")
        values = self.values(cls, {k: v for k, v in parameters.items() if k in known}, path)
        if unknown or needed or values is None:
            return None
        try:
            return cls(**values)
        except ValueError as raised:
            self.problem(path, f"`{kind}`: {raised}")
            return None

    def values(self, cls: type[Stage], given: Mapping[str, Any], path: PathIn) -> dict[str, Any] | None:
        """Returns the parameters as the types of their fields, or `None` if one is not of its type."""
        from pydantic import TypeAdapter, ValidationError

        types, found = get_type_hints(cls), {}
        for key, value in given.items():
            try:
                found[key] = TypeAdapter(types[key]).validate_python(_tuples(value), strict=True)
            except ValidationError as raised:
                mistake = raised.errors(include_url=False)[0]
                place: PathIn = (key, *(part for part in mistake["loc"] if isinstance(part, int)))
                reason = mistake["msg"][:1].lower() + mistake["msg"][1:]
                self.problem((*path, *place), f"`{key}` of `{cls.kind}`: {reason}")
        return found if len(found) == len(given) else None

    def unique(self, steps: Sequence[tuple[Step, PathIn]]) -> None:
        seen: set[str] = set()
        for step, path in steps:
            if step.name in seen:
                help = "give one of them a `name`"
                self.problem(path, f"two steps are called `{step.name}`", help)
            seen.add(step.name)

    def near(self, word: str, known: Sequence[str]) -> str:
        found = difflib.get_close_matches(word, known, 1)
        return f"did you mean `{found[0]}`?" if found else f"known: {', '.join(known)}"

    def problem(self, path: PathIn, message: str, help: str | None = None) -> None:
        self.problems.append(Diagnostic("EK211", message, where=self.tree.where(path), help=help))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
