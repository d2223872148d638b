"""`Samples`: the inputs of a verification, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.ir import Model, TensorSpec
from edgekit.runners import Array, Port
from edgekit.runners.base import check_inputs

GOLDEN_NAME = "samples.safetensors"
OUTPUT_PREFIX = "output:"

Sample = Mapping[str, Array]
Given = str | Path | Sample | Sequence[Sample]


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs to verify with.

    Attributes:
        kind: `given`, `golden` or `generated`; of calibration also `images`, `arrays`, `generator`.
        arrays: One mapping from input names to arrays per sample; may be read only when it is looked at.
        notes: What the user should know of them.
    """

    kind: str
    arrays: Sequence[Sample]
    notes: tuple[str, ...] = ()

    def at_once(self, most: int) -> list[Sample]:
        """Returns samples to hold at the same time: all that are held anyway, else the first few."""
        return list(self.arrays if isinstance(self.arrays, tuple) else self.arrays[:most])


def given_samples(model: Model, given: Given, count: int | None = None) -> Samples:
    """Takes what the user gives.

    Args:
        model: The source model.
        given: A file (`.npz`, `.npy` for a model with one input, `.safetensors`), one sample, or
            several. Arrays may hold many samples along a leading axis.
        count: The most samples to take.

    Raises:
        EdgekitError: EK505 if they do not fit, EK101 if the file does not exist.
    """
    if isinstance(given, str | Path):
        sets: list[Sample] = [read_arrays(Path(given), [spec.name for spec in model.inputs])]
    else:
        sets = [given] if isinstance(given, Mapping) else list(given)
    if not sets:
        raise error("EK505", "no input samples were given")
    arrays = [s for one in sets for s in split(model.inputs, {k: np.asarray(v) for k, v in one.items()})]
    ports = ports_of(model)
    return Samples("given", tuple(check_inputs(ports, s) for s in arrays[:count]))


def golden_samples(model: Model, count: int) -> Samples | None:
    """Takes the samples that are shipped beside a model, if there are any that fit it.

    Args:
        model: The source model.
        count: The most samples to take.

    Returns:
        The samples. Without arrays, its notes say why the file beside the model was not used.
    """
    if model.path is None or not (path := model.path.with_name(GOLDEN_NAME)).is_file():
        return None
    try:
        held = read_arrays(path, [spec.name for spec in model.inputs])
        arrays = {k: v for k, v in held.items() if not k.startswith(OUTPUT_PREFIX)}
        ports = ports_of(model)
        taken = split(model.inputs, {spec.name: arrays[spec.name] for spec in model.inputs})[:count]
        return Samples("golden", tuple(check_inputs(ports, s) for s in taken))
    except KeyError as problem:
        reason = f"it has no array {problem}"
    except EdgekitError as problem:
        reason = problem.diagnostics[0].message
    return Samples("golden", (), (f"`{GOLDEN_NAME}` beside the model was not used: {reason}",))


def split(specs: Sequence[TensorSpec], arrays: Sample) -> list[Sample]:
    """Splits arrays that hold many samples along their leading axis.

    Arrays split if every one of them has the same multiple of its input's batch, or one axis more
    than its input. A free batch takes the samples one by one, then three at once, so that both are run.

    Args:
        specs: The model's inputs.
        arrays: By input name.

    Returns:
        The samples; the arrays as they are if they do not split.
    """
    named = {spec.name: spec for spec in specs}
    if not arrays or any(name not in named or a.ndim == 0 for name, a in arrays.items()):
        return [arrays]
    lengths = {len(array) for array in arrays.values()}
    batches = {_batch(named[name], array) for name, array in arrays.items()}
    if len(lengths) != 1 or len(batches) != 1:
        return [arrays]
    (length,), (batch,) = lengths, batches
    if batch == "stack":
        return [{name: array[i] for name, array in arrays.items()} for i in range(length)]
    if batch == "free" and length > 1:
        bounds = [(i, i + 1) for i in range(length)]
        if length >= 3:
            bounds[-3:] = [(length - 3, length)]
    elif isinstance(batch, int) and batch and length > batch and length % batch == 0:
        bounds = [(i, i + batch) for i in range(0, length, batch)]
    else:
        return [arrays]
    # The sample with three at once comes second, so that a small count still has it.
    if batch == "free" and length >= 3:
        bounds.insert(1, bounds.pop())
    return [{name: array[a:b] for name, array in arrays.items()} for a, b in bounds]


def _batch(spec: TensorSpec, array: Array) -> int | str | None:
    """Returns how an array relates to its input: its batch, `free`, `stack` of inputs, or unknown."""
    if spec.shape is None:
        return None
    if array.ndim == len(spec.shape) + 1:
        return "stack"
    if array.ndim != len(spec.shape):
        return None
    return spec.shape[0] if isinstance(spec.shape[0], int) else "free"


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Reads a file of arrays.

    Args:
        path: A `.npz`, `.npy` or `.safetensors` file.
        names: The inputs of the model; the array of a `.npy` file gets the only one.

    Returns:
        All arrays of the file by name. Whether they fit the model is for the caller to check.

    Raises:
        EdgekitError: EK101 if the file does not exist, EK505 if it cannot be read.
    """
    if not path.is_file():
        raise error("EK101", f"the input file `{path}` does not exist", where=Where(file=str(path)))
    try:
        return _parse(path, names)
    except EdgekitError:
        raise
    except Exception as problem:  # parsers of other packages: anything is possible on garbage
        raise error(
            "EK505",
            f"the input file `{path}` cannot be read",
            where=Where(file=str(path)),
            notes=(f"{type(problem).__name__}: {problem}",),
        ) from problem


def _parse(path: Path, names: Sequence[str]) -> dict[str, Array]:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    if path.suffix == ".npy":
        if len(names) != 1:
            raise error(
                "EK505",
                f"a `.npy` file holds one array; the model has {len(names)} inputs",
                where=Where(file=str(path)),
                help="give a `.npz` or `.safetensors` file with one array per input",
            )
        return {names[0]: np.load(path, allow_pickle=False)}
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        arrays: dict[str, Array] = load_file(path)
        return arrays
    raise error(
        "EK505",
        f"the input file `{path}` is of no known kind",
        where=Where(file=str(path)),
        help="give a `.npz`, `.npy` or `.safetensors` file",
    )


def ports_of(model: Model) -> list[Port]:
    """Returns what a model takes, to hold samples against."""
    return [_port(spec) for spec in model.inputs]


def _port(spec: TensorSpec) -> Port:
    shape: Any = None if spec.shape is None else tuple(d if isinstance(d, int) else None for d in spec.shape)
    return Port(spec.name, spec.dtype, shape)
