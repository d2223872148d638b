"""The table of runners: which one runs which kind of model file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from edgekit.diagnostics import error
from edgekit.runners.base import Runner

_HOMES = {
    "tflite": ("edgekit.runners.litert", "LiteRtRunner"),
    "onnx": ("edgekit.runners.ort", "OrtRunner"),
    "onnx-reference": ("edgekit.runners.reference", "ReferenceRunner"),
    "tvm": ("edgekit.runners.tvm", "TvmRunner"),
}
"""Module and class by backend; names, so that nothing is imported before it is used."""


def runner_class(backend: str) -> Callable[..., Runner]:
    """Imports the runner of a backend.

    Raises:
        EdgekitError: EK204 for an unknown backend.
    """
    if backend not in _HOMES:
        known = ", ".join(f"`{name}`" for name in _HOMES)
        raise error("EK204", f"no runner for the backend `{backend}`", notes=(f"known: {known}",))
    module, name = _HOMES[backend]
    loaded: Callable[..., Runner] = getattr(importlib.import_module(module), name)
    return loaded


def runner_for(
    backend: str,
    *,
    isolate: bool = True,
    timeout_s: float = 300.0,
    threads: int = 1,
    **options: Any,
) -> Runner:
    """Makes the runner of a backend.

    Args:
        backend: `tflite`, `onnx`, `tvm`, or `onnx-reference` (slow, pure Python).
        isolate: Run in a child process, so that a runtime that aborts or hangs does no harm.
        timeout_s: Longest time for one call of an isolated runner, in seconds.
        threads: How many threads the runtime may use.
        options: Further options of the runner's class, such as `kernels="reference"` for `tflite`.

    Returns:
        A context manager; nothing is started before the first call.

    Raises:
        EdgekitError: EK204 for an unknown backend.
    """
    kind = runner_class(backend)
    if not isolate:
        return kind(threads=threads, **options)
    from edgekit.runners.isolated import IsolatedRunner

    return IsolatedRunner(backend, timeout_s=timeout_s, threads=threads, **options)
