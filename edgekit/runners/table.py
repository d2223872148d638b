"""The table of runners: which one runs which kind of model file."""

from __future__ import annotations

from edgekit.runners.base import Runner


def runner_for(backend: str, *, isolate: bool = True, timeout_s: float = 300.0, threads: int = 1) -> Runner:
    """Makes the runner of a backend.

    Args:
        backend: `tflite`, `onnx`, or `onnx-reference` (slow, pure Python).
        isolate: Run in a child process, so that a runtime that aborts or hangs does no harm.
        timeout_s: Longest time for one call of an isolated runner, in seconds.
        threads: How many threads the runtime may use.

    Returns:
        A context manager; nothing is started before the first call.

    Raises:
        EdgekitError: EK204 for an unknown backend.
    """
    raise NotImplementedError
