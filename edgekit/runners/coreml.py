"""Runs Core ML packages: on a Mac by Core ML itself, elsewhere by a reference evaluator in numpy.

Only the evaluator is exercised where edgekit is tested; the few lines that call Core ML are not.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import EdgekitError, error, missing_package
from edgekit.runners.base import ALL_INTERMEDIATES, Array, Payload, Ports, RunnerBase, check_inputs
from edgekit.runners.mil_reference.model import MilModel
from edgekit.runners.mil_reference.package import open_package

_ON_DEVICE = sys.platform == "darwin"


class CoreMlRunner(RunnerBase):
    """Runs `.mlpackage` folders; keeps the last one loaded.

    The evaluator reads the saved package and follows the definitions of its ops: evidence that the file
    means what it should, not that a device computes the same. `name` tells which of both ran.
    """

    name = "coreml" if _ON_DEVICE else "mil-reference"
    package = "coremltools" if _ON_DEVICE else "edgekit"
    caveat = (
        None
        if _ON_DEVICE
        else "executed (reference): evaluated op by op as MIL defines the ops, not by Core ML on a device"
    )

    def __init__(self, *, threads: int = 1, function: str | None = None) -> None:
        """Prepares a runner.

        Args:
            threads: Not used: numpy and Core ML decide themselves.
            function: Which function of the package to run; by default its default one.
        """
        del threads
        self._function = function
        self._loaded: _Loaded | None = None

    def ports(self, payload: Payload) -> Ports:
        """Loads a package and returns what it takes and gives; see `Runner`."""
        return self._load(payload).model.ports

    def run(
        self, payload: Payload, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs a package once; see `Runner`.

        Every named tensor of the program can be observed by the evaluator; Core ML shows none.
        """
        loaded = self._load(payload)
        if loaded.device is not None:
            return _predict(loaded.device, loaded.model.ports, inputs)
        every = tuple(intermediates) == ALL_INTERMEDIATES
        return loaded.model.run(inputs, None if every else frozenset(intermediates))

    def close(self) -> None:
        """Releases the package."""
        self._loaded = None

    def _load(self, payload: Payload) -> _Loaded:
        if isinstance(payload, bytes):
            raise error("EK507", "a Core ML package is a folder; it cannot be read from bytes")
        stamps = open_package(payload).stamps()
        loaded = self._loaded
        if loaded is None or loaded.stamps != stamps:
            self.close()
            self._loaded = _Loaded(payload, stamps, self._function)
        assert self._loaded is not None
        return self._loaded


class _Loaded:
    """A package in memory."""

    def __init__(self, path: Path, stamps: tuple[Any, ...], function: str | None) -> None:
        self.stamps = stamps
        self.model = MilModel(path, function)
        self.device = _core_ml(path, function) if _ON_DEVICE else None


def _core_ml(path: Path, function: str | None) -> Any:
    try:
        import coremltools
    except ImportError as problem:
        raise missing_package("coremltools", "coreml", "running a Core ML package") from problem
    try:
        return coremltools.models.MLModel(str(open_package(path).folder), function_name=function)
    except (RuntimeError, ValueError) as problem:
        raise _refusal(problem) from problem


def _predict(device: Any, ports: Ports, inputs: Mapping[str, Array]) -> dict[str, Array]:
    arrays = check_inputs(ports.inputs, inputs)
    try:
        found = device.predict(arrays)
    except (RuntimeError, ValueError) as problem:
        raise _refusal(problem) from problem
    results = {}
    for port in ports.outputs:
        value = found[port.name]
        values = list(value.values()) if isinstance(value, dict) else value
        results[port.name] = np.array(values, port.dtype)
    return results


def _refusal(problem: Exception) -> EdgekitError:
    return error(
        "EK503",
        "Core ML refuses the model",
        notes=(" ".join(str(problem).split())[:2000],),
        data={"runtime": "coreml"},
    )
