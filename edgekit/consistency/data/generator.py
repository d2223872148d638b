"""A function of the user's as the source of calibration samples."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.consistency.data.folder import finite
from edgekit.consistency.data.lazy import YieldedSamples
from edgekit.consistency.samples import Sample, Samples, ports_of, split
from edgekit.diagnostics import EdgekitError, error
from edgekit.ir import Model
from edgekit.runners.base import check_inputs

_FUNCTION = re.compile(r"(?P<home>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)$")


def is_function(text: str) -> bool:
    """Tells whether a text names a function: `module:function` or `file.py:function`."""
    return _FUNCTION.match(text) is not None and not Path(text).exists()


def yielded_samples(model: Model, function: str | Callable[[], Any], most: int) -> Samples:
    """Takes the samples that a function yields; it is called again for every pass over them.

    Naming a function runs it: it is the user's own code.

    Args:
        model: The source model.
        function: A function without arguments, or where one is. It yields samples: an array for a model
            with one input, several in order, or a mapping from names.
        most: The most samples to take.

    Raises:
        EdgekitError: EK404 if there is no such function, or it fails or yields nothing; EK505 for a sample
            that does not fit the model.
    """
    call = _resolved(function) if isinstance(function, str) else function
    title = function if isinstance(function, str) else getattr(function, "__name__", "the function")

    def make() -> Iterator[Sample]:
        return islice(_checked(model, call, title), most)

    count = sum(1 for _ in make())
    if not count:
        raise error("EK404", f"`{title}` yields no samples")
    return Samples("generator", YieldedSamples(make, count))


def _checked(model: Model, call: Callable[[], Any], title: str) -> Iterator[Sample]:
    ports = ports_of(model)
    for number, given in enumerate(_guarded(call, title), 1):
        try:
            sample = _named(model, given)
            yield from (finite(check_inputs(ports, one)) for one in split(model.inputs, sample))
        except EdgekitError as problem:
            first = problem.diagnostics[0]
            raise error(first.code, f"sample {number} of `{title}`: {first.message}") from problem


def _guarded(call: Callable[[], Any], title: str) -> Iterator[Any]:
    """Turns whatever the user's code raises into a diagnostic."""
    try:
        yield from call()
    except Exception as failure:
        reason = f"{type(failure).__name__}: {failure}"
        raise error("EK404", f"`{title}` failed", notes=(reason,)) from failure


def _named(model: Model, given: Any) -> dict[str, Any]:
    names = [spec.name for spec in model.inputs]
    if isinstance(given, Mapping):
        return {str(k): np.asarray(v) for k, v in given.items()}
    several = isinstance(given, Sequence) and not isinstance(given, str) and len(names) > 1
    values = list(given) if several or (isinstance(given, tuple) and len(given) == len(names)) else [given]
    if len(values) != len(names):
        raise error("EK505", f"{len(values)} arrays for {len(names)} inputs")
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _resolved(text: str) -> Callable[[], Any]:
    match = _FUNCTION.match(text)
    assert match is not None
    home, name = match["home"], match["name"]
    try:
        module = _from_file(Path(home)) if home.endswith(".py") else _imported(home)
    except Exception as failure:
        reason = f"{type(failure).__name__}: {failure}"
        raise error("EK404", f"`{home}` cannot be imported", notes=(reason,)) from failure
    call = getattr(module, name, None)
    if not callable(call):
        raise error("EK404", f"`{home}` has no function `{name}`")
    needed = [p for p in inspect.signature(call).parameters.values() if p.default is p.empty and p.kind < 2]
    if needed:
        raise error("EK404", f"`{text}` must take no arguments; it takes `{needed[0].name}`")
    found: Callable[[], Any] = call
    return found


def _imported(name: str) -> Any:
    folder = str(Path.cwd())
    added = folder not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        if added:
            sys.path.remove(folder)


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
