"""`MilModel`: a package in memory, ready to run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import error
from edgekit.runners.base import Port, Ports, check_inputs
from edgekit.runners.mil_reference.blob import Blob
from edgekit.runners.mil_reference.evaluate import evaluate
from edgekit.runners.mil_reference.features import (
    Kind,
    fresh_states,
    from_program,
    function_name,
    read_interface,
    to_program,
)
from edgekit.runners.mil_reference.package import Package, open_package, read_bounded, unreadable
from edgekit.runners.mil_reference.program import Block, read_function
from edgekit.runners.mil_reference.proto import parse_model
from edgekit.runners.mil_reference.types import Array, Runtime, State, TensorType


class MilModel:
    """One function of the ML Program of a package."""

    def __init__(self, path: Path, function: str | None = None) -> None:
        """Reads a package.

        Args:
            path: Its folder, or a file in it.
            function: Which function to run; by default the model's default one.

        Raises:
            EdgekitError: EK507 if it is damaged; EK503 if it is no ML Program or needs what is not
                supported; EK501 without coremltools.
        """
        self._package = open_package(path)
        message = _message(self._package)
        name = function_name(message.description, function)
        blobs = _Blobs(self._package)
        self.function = read_function(message.mlProgram, name, blobs)
        self._constants = frozenset(_constants(self.function.block))
        self._interface = read_interface(message.description, name, self.function)
        self.ports = Ports(
            tuple(f.port for f in self._interface.inputs), tuple(f.port for f in self._interface.outputs)
        )

    @property
    def states(self) -> tuple[Port, ...]:
        """What the function keeps from one run to the next."""
        return tuple(f.port for f in self._interface.states)

    def values(self, inputs: Mapping[str, Array]) -> dict[str, Runtime]:
        """Runs the function once and returns every value of it, inputs and constants included.

        Args:
            inputs: As `run`.
        """
        arrays = check_inputs(self.ports.inputs, self._with_defaults(inputs))
        found = to_program(self._interface, self.function, arrays, self.make_states())
        evaluate(self.function, dict(found), found.__setitem__)
        return found

    @property
    def images(self) -> frozenset[str]:
        """Names of the inputs that are pictures."""
        return frozenset(f.name for f in self._interface.inputs if f.kind is Kind.IMAGE)

    def make_states(self) -> dict[str, State]:
        """Returns fresh states, to be given to successive runs."""
        return fresh_states(self.function)

    def run(
        self,
        inputs: Mapping[str, Array],
        wanted: Collection[str] | None = (),
        states: Mapping[str, State] | None = None,
    ) -> dict[str, Array]:
        """Runs the function once.

        Args:
            inputs: Arrays by name; an optional input may be absent.
            wanted: Further values of the program to return, by name; `None` for all but
                constants. Of a value in a loop the last one is returned.
            states: What `make_states` made; the run changes it. By default fresh ones.

        Returns:
            The outputs in the model's order, then the values that were asked for and are tensors.

        Raises:
            EdgekitError: EK505 for inputs that do not fit; EK503 naming the op that cannot be evaluated;
                EK507 if an output is not what the model declares.
        """
        arrays = check_inputs(self.ports.inputs, self._with_defaults(inputs))
        seen: dict[str, Array] = {}

        def watch(name: str, value: Runtime) -> None:
            asked = name not in self._constants if wanted is None else name in wanted
            if asked and isinstance(value, np.ndarray):
                seen[name] = value

        held = self.make_states() if states is None else states
        values = evaluate(self.function, to_program(self._interface, self.function, arrays, held), watch)
        results = from_program(self._interface, values)
        return results | {name: np.array(v) for name, v in seen.items() if name not in results}

    def _with_defaults(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        given = dict(inputs)
        for feature in self._interface.inputs:
            if feature.default is not None and feature.name not in given:
                sizes = [1 if s is None else s for s in feature.shape or ()]
                given[feature.name] = np.full(sizes, feature.default, feature.dtype)
        return given


class _Blobs:
    """Files of weights, opened when they are first read."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._open: dict[str, Blob] = {}

    def __call__(self, name: str, offset: int, kind: TensorType) -> Array:
        if name not in self._open:
            self._open[name] = Blob(self._package.weights(name))
        return self._open[name].read(offset, kind)


def _message(package: Package) -> Any:
    try:
        message = parse_model(read_bounded(package.model))
    except ValueError as problem:
        raise unreadable(f"`{package.model.name}` of the package is damaged: {problem}") from problem
    kind = message.WhichOneof("Type")
    if kind != "mlProgram":
        raise error("EK503", f"the package holds a `{kind or 'nothing'}`, no ML Program")
    return message


def _constants(block: Block) -> Iterator[str]:
    for op in block.ops:
        if op.type == "const":
            yield op.name
        for inner in op.blocks:
            yield from _constants(inner)
