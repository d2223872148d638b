"""Runs a float model on the calibration samples, and a QDQ model against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from edgekit.consistency.data import Preprocess, folder_samples, is_function, yielded_samples
from edgekit.consistency.data.folder import finite
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.samples import Given, Sample, Samples, given_samples, golden_samples, read_arrays
from edgekit.diagnostics import error
from edgekit.ir import Model
from edgekit.quantize import Calibration, observe

MOST = 512
"""Calibration samples that are used at most."""


def calibration_samples(
    model: Model, given: Given | Iterable[Sample] | Callable[[], Any] | None, how: Preprocess | None = None
) -> Samples:
    """Returns the samples to calibrate with: those given, else the golden ones beside the model.

    Args:
        model: The source model.
        given: A file (`.npz`, `.npy`, `.safetensors`), a folder of images or arrays, a function that yields
            samples or where one is (`module:function`, `file.py:function`), samples, or anything that
            iterates over samples. Folders and functions are read while they are used.
        how: What happens to images.

    Raises:
        EdgekitError: EK505 if they do not fit the model, EK404 if a folder or function cannot be used, EK403
            if there are no samples.
    """
    if given is None:
        return _golden(model)
    if callable(given):
        return yielded_samples(model, given, MOST)
    if isinstance(given, str | Path):
        if is_function(str(given)):
            return yielded_samples(model, str(given), MOST)
        if Path(given).is_dir():
            return folder_samples(model, Path(given), how or Preprocess(), MOST)
    held = given if isinstance(given, str | Path | Mapping) else list(islice(given, MOST))
    samples = given_samples(model, _inputs_only(model, held), MOST)
    for sample in samples.arrays:
        finite(sample)
    return samples


def _golden(model: Model) -> Samples:
    golden = golden_samples(model, MOST)
    if golden is None or not golden.arrays:
        notes = () if golden is None else golden.notes
        raise error(
            "EK403",
            "there are no samples to calibrate with",
            notes=notes,
            help="give a file, a folder or a function that yields samples with `--calibrate`",
        )
    return golden


def _inputs_only(model: Model, held: Given) -> Given:
    """Leaves out what a file of samples holds besides inputs: labels, recorded outputs."""
    if not isinstance(held, str | Path):
        return held
    names = [spec.name for spec in model.inputs]
    arrays = read_arrays(Path(held), names)
    return {k: v for k, v in arrays.items() if k in names}


def samples_for(
    model: Model, given: Any, how: Preprocess | None = None, *, required: bool = True
) -> Samples | None:
    """Returns calibration samples; `None` if there are none and none are required.

    Raises:
        EdgekitError: As `calibration_samples`.
    """
    golden = golden_samples(model, MOST) if given is None and not required else None
    if given is None and not required and (golden is None or not golden.arrays):
        return None
    return calibration_samples(model, given, how)


def observe_ranges(
    model: Model, samples: Sequence[Sample], names: Sequence[str], calibration: Calibration
) -> dict[str, tuple[float, float]]:
    """Runs a model and returns the ranges of its tensors.

    Args:
        model: The float model, in an opset that the runtime executes.
        samples: The calibration samples.
        names: The tensors; public inputs may be among them.
        calibration: How ranges follow from values.

    Raises:
        EdgekitError: EK403 without samples; as `Runner.run`.
    """
    inputs, outputs = {s.name for s in model.inputs}, {s.name for s in model.outputs}
    inner = [n for n in names if n not in inputs and n not in outputs]
    with Oracle(model, isolate=True, timeout_s=300.0) as oracle:
        return observe(lambda sample: {**sample, **oracle.run(sample, inner)}, samples, names, calibration)
