"""The few lines that call Core ML itself, on a Mac. They are not exercised where edgekit is tested."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import EdgekitError, error, missing_package
from edgekit.runners.base import Array, check_inputs
from edgekit.runners.labels import labels_name
from edgekit.runners.mil_reference.model import MilModel


def load(folder: Path, function: str | None) -> Any:
    """Loads a package into Core ML.

    Raises:
        EdgekitError: EK501 without coremltools; EK503 if Core ML refuses the package.
    """
    try:
        import coremltools
    except ImportError as problem:
        raise missing_package("coremltools", "coreml", "running a Core ML package") from problem
    try:
        return coremltools.models.MLModel(str(folder), function_name=function)
    except (RuntimeError, ValueError) as problem:
        raise _refusal(problem) from problem


def predict(
    device: Any, model: MilModel, inputs: Mapping[str, Array], states: Mapping[str, Array]
) -> dict[str, Array]:
    """Runs a package once.

    Args:
        device: What `load` returned.
        model: The same package, for its ports.
        inputs: Arrays by name; pictures are `[1, channels, height, width]`, red first.
        states: What states hold before the run; zeros if absent.

    Raises:
        EdgekitError: EK505 if the inputs do not fit; EK503 if Core ML fails.
    """
    given = check_inputs(model.ports.inputs, inputs)
    arrays = {k: _image(v) if k in model.images else v for k, v in given.items()}
    try:
        held: Any = device.make_state() if model.states else None
        for name, array in states.items():
            held.write_state(name, array)
        found = device.predict(arrays, held) if held is not None else device.predict(arrays)
        after = {port.name: np.array(held.read_state(port.name), port.dtype) for port in model.states}
    except (RuntimeError, ValueError) as problem:
        raise _refusal(problem) from problem
    results: dict[str, Array] = {}
    for port in model.ports.outputs:
        value = found[port.name]
        if isinstance(value, dict):
            results[labels_name(port.name)] = np.array([str(key) for key in value], object)
            value = list(value.values())
        results[port.name] = np.array(value, port.dtype)
    return results | after


def _image(pixels: Array) -> Any:
    """Makes the picture that Core ML takes."""
    from PIL import Image

    planes = pixels[0].astype(np.float32) if pixels.dtype == np.float16 else pixels[0]
    return Image.fromarray(planes[0] if len(planes) == 1 else np.ascontiguousarray(planes.transpose(1, 2, 0)))


def _refusal(problem: Exception) -> EdgekitError:
    return error(
        "EK503",
        "Core ML refuses the model",
        notes=(" ".join(str(problem).split())[:2000],),
        data={"runtime": "coreml"},
    )
