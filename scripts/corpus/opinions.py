"""What else computes the same network: TensorFlow for a Keras source, and a published `.tflite`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.importers import keras_files
from edgekit.importers.keras_files import Kind
from edgekit.runners import runner_for
from edgekit.tflite.reader import read_tflite

Array = NDArray[Any]
Sample = Mapping[str, Array]


def tensorflow(path: Path, samples: Sequence[Sample]) -> list[dict[str, Array]]:
    """Runs a Keras file, SavedModel or frozen graph in TensorFlow itself, outputs by name."""
    from edgekit.importers.keras_child import load, saved_model

    kind = keras_files.check(path, allow_code=False)
    with tempfile.TemporaryDirectory() as folder:
        if kind is Kind.GRAPH:
            source = saved_model.read_graph(path)
        elif kind is Kind.SAVED_MODEL:
            source = saved_model.read(path, allow_code=False)
        else:
            source = load.load(path, kind, folder=Path(folder), allow_code=False, package=None)
        import tensorflow as tf

        names = [spec.name for spec in source.inputs]
        results = []
        for sample in samples:
            arrays = source.call(*(tf.constant(sample[name]) for name in names))
            results.append(dict(zip(source.outputs, map(np.asarray, arrays), strict=True)))
    return results


def published_tflite(model: Path) -> Path | None:
    """Returns the float `.tflite` that its authors made of a model: beside it, with its name."""
    names = [f"{model.stem}{ending}.tflite" for ending in ("", "_float", "_fp32")]
    beside = [p for p in map(model.with_name, names) if p.is_file() and _is_float(p)]
    return beside[0] if beside else None


def shared_weights(path: Path, ours: bytes) -> tuple[int, int]:
    """Returns how many weights (tensors) of a published `.tflite` are in ours, and how many it has.

    Two are the same if their values, in order of size, differ by at most 1e-5 of the largest: BatchNorm
    may be folded in, axes and the gates of an LSTM may come in another order.
    """
    mine, theirs = _weights(ours), _weights(path)
    same = [
        any(a.shape == b.shape and np.abs(a - b).max() <= 1e-5 * np.abs(b).max() for a in mine)
        for b in theirs
    ]
    return sum(same), len(same)


def _weights(file: Path | bytes) -> list[Array]:
    operands = {v for op in read_tflite(file).main.ops for v in op.inputs if v is not None}
    data = [v.data for v in operands if v.data is not None and v.data.dtype == np.float32]
    return [d for d in data if d.size > 1 and d.any()]


def _is_float(path: Path) -> bool:
    main = read_tflite(path).main
    values = {v for op in main.ops for v in (*op.inputs, *op.outputs) if v is not None}
    return all(v.quant is None and v.dtype != np.int8 for v in values)


def litert(path: Path, samples: Sequence[Sample], references: Sequence[Sample]) -> list[dict[str, Array]]:
    """Runs a published `.tflite` in the terms of the source model.

    Args:
        path: The file.
        samples: Inputs of the source model.
        references: Outputs of the source model; they say which output is which, by shape.

    Raises:
        ValueError: If inputs or outputs cannot be assigned.
    """
    results = []
    with runner_for("tflite") as runner:
        ports = runner.ports(path).inputs
        shapes = {port.name: tuple(size or 1 for size in port.shape or ()) for port in ports}
        for sample, reference in zip(samples, references, strict=True):
            outputs = runner.run(path, _assigned(sample, shapes))
            results.append(_assigned(outputs, {name: array.shape for name, array in reference.items()}))
    return results


def _assigned(arrays: Sample, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Gives each name that is wanted the array of its shape, in either layout; that of its name first."""
    left, result = dict(arrays), {}
    for key, shape in wanted.items():
        names = sorted(left, key=lambda name: name != key)
        fitting = [(name, a) for name in names for a in _layouts(left[name]) if a.shape == shape]
        if not fitting:
            raise ValueError(f"nothing of shape {list(shape)} for `{key}`")
        name, result[key] = fitting[0]
        del left[name]
    return result


def _layouts(array: Array) -> tuple[Array, ...]:
    if array.ndim != 4:
        return (array,)
    return array, array.transpose(0, 2, 3, 1), array.transpose(0, 3, 1, 2)
