"""Runs Core ML packages: on a Mac by Core ML itself, elsewhere by a reference evaluator in numpy.

Only the evaluator is exercised where edgekit is tested; the few lines that call Core ML are not.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import error
from edgekit.runners import coreml_device as on_device
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

        A state is an input that may be absent, when it is zeros, and a result with what it holds after
        the run; whoever hands it back runs the next step. The labels of a dictionary are a result too.
        Every named tensor of the program can be observed by the evaluator; Core ML shows none.
        """
        loaded = self._load(payload)
        model = loaded.model
        names = {port.name for port in model.states}
        given = {k: v for k, v in inputs.items() if k in names}
        plain = {k: v for k, v in inputs.items() if k not in names}
        if loaded.device is not None:
            return on_device.predict(loaded.device, model, plain, given)
        states = model.make_states()
        held = check_inputs(model.states, {k: s.value for k, s in states.items()} | given)
        for name, array in held.items():
            states[name].value = np.array(array)
        every = tuple(intermediates) == ALL_INTERMEDIATES
        results = model.run(plain, None if every else frozenset(intermediates), states)
        return results | {name: state.value for name, state in states.items()}

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
        self.device = on_device.load(open_package(path).folder, function) if _ON_DEVICE else None
