"""The Python API: `load`, `convert`, `open`, `run`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Artifact
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model

Progress = Callable[[str], None]
"""Called with the name of each stage as it starts."""


def load(
    source: Any, *, example_inputs: Any = None, allow_pickle: bool = False, dynamic_shapes: Any = None
) -> Model:
    """Imports a model.

    Args:
        source: A path, `onnx.ModelProto`, `torch.nn.Module`, `torch.export.ExportedProgram`,
            `keras.Model`, or `"package.module:factory"`.
        example_inputs: Positional inputs for a live PyTorch module.
        allow_pickle: Accept files whose loading runs code stored in them.
        dynamic_shapes: Which sizes stay symbolic, as `torch.export` takes them.

    Returns:
        The model in the hub IR; every node carries its origin.

    Raises:
        EdgekitError: EK1xx when the source cannot be read, EK2xx when a plugin cannot be loaded, EK501
            when a package is missing.
    """
    from edgekit import importers, plugins

    plugins.load_all()
    return importers.load(
        source, example_inputs=example_inputs, allow_pickle=allow_pickle, dynamic_shapes=dynamic_shapes
    )


def convert(
    source: Any,
    backend: str = "tflite",
    *,
    io_layout: str = "source",
    opset: int | None = None,
    fp16: bool = False,
    allow_approximate: bool = False,
    verify: bool = True,
    inputs: Any = None,
    tolerance: float | Mapping[str, float] | None = None,
    labels: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> Artifact:
    """Converts a model and verifies the result against it.

    Args:
        source: A `Model`, or anything that `load` takes.
        backend: `tflite`, `onnx` or `tvm`.
        io_layout: `source` keeps the layout of public inputs and outputs; `nhwc` changes image-like ones.
        opset: Opset of an ONNX artifact.
        fp16: Make a float16 ONNX artifact.
        allow_approximate: Accept forms that are not exact; each is reported with its error.
        verify: Run source and artifact on the same inputs and compare all outputs.
        inputs: Inputs to verify with, by input name, or a file of them; else golden samples beside
            the model, else seeded data that respects ranges and integer semantics.
        tolerance: Largest error as a fraction of an output's range, for all or by output name.
        labels: Text of a label file to store in the artifact.
        options: Options that only this backend has, by name.
        progress: Called with the name of each stage as it starts.
        load_options: Passed to `load`.

    Returns:
        The artifact with its verdict in `verification`: `verified`, `mismatch` or `unverified`.

    Raises:
        EdgekitError: EK1xx for a bad model, EK2xx for a plugin that cannot be loaded, EK3xx for what the
            backend cannot express.
    """
    from edgekit import plugins
    from edgekit.artifact.verification import not_verified
    from edgekit.lowering.backends import Recipe, backend_for, stand_in_for
    from edgekit.passes.pipeline import prepare

    plugins.load_all()
    step = progress or (lambda stage: None)
    build = backend_for(backend)
    if isinstance(source, Model):
        model = source
    else:
        step("import")
        model = load(source, **load_options)
    step("simplify")
    prepared = prepare(model)
    step("lower")
    recipe = Recipe(io_layout, opset, fp16, allow_approximate, labels, dict(options or {}))
    artifact = build(model, prepared, recipe)
    passes = [asdict(report) for report in prepared.reports]
    artifact = replace(artifact, recipe={**artifact.recipe, "passes": passes})
    if not verify:
        return artifact.with_verification(not_verified("verification was switched off"))
    from edgekit.consistency.stand_in import verdict_by
    from edgekit.consistency.verify import verify as verify_artifact

    step("verify")
    here = stand_in_for(backend, recipe)
    runnable = artifact if here is None else build(model, prepared, here)
    verification = verify_artifact(model, runnable, inputs=inputs, tolerance=tolerance)
    return artifact.with_verification(verification if here is None else verdict_by(verification))


def open(directory: str | Path) -> Artifact:
    """Reads an artifact that `Artifact.save` wrote and checks its hashes.

    Args:
        directory: The artifact's directory.

    Returns:
        The artifact.

    Raises:
        EdgekitError: EK507 if it is damaged or is not an artifact.
    """
    return Artifact.open(directory)


def run(
    artifact: Artifact | str | Path, inputs: Mapping[str, NDArray[Any]], *, isolate: bool = True
) -> dict[str, np.ndarray[Any, Any]]:
    """Runs an artifact in the terms of its source model.

    Args:
        artifact: An artifact or its directory.
        inputs: One array for each input of the source model, in its names, layout and dtypes.
        isolate: Run in a child process, so that a runtime that aborts does no harm.

    Returns:
        The source model's outputs by name, in its order, layout and dtypes.

    Raises:
        EdgekitError: EK505 if the inputs do not fit, EK50x if the runtime fails.
    """
    from edgekit.runners import runner_for
    from edgekit.runners.execute import run_artifact

    opened = artifact if isinstance(artifact, Artifact) else open(artifact)
    with runner_for(opened.backend, isolate=isolate) as runner:
        return run_artifact(opened, inputs, runner)


__all__ = ["EdgekitError", "Progress", "convert", "load", "open", "run"]
