"""Runs the source model and its ONNX export on the same inputs: a wrong export is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers.keras_child.source import Source

_FREE_SIZES = (16, 64, 224, 1)
"""Tried one after the other for sizes that the model leaves open; not every one suits every model."""
_LIMITS = {"FLOAT": 1e-3, "FLOAT16": 2e-2, "BFLOAT16": 8e-2}
"""Largest difference accepted, relative to the largest value of the output, by the coarsest dtype inside."""


def verify(source: Source, onnx_file: Path) -> dict[str, str]:
    """Compares all outputs on seeded random inputs.

    Args:
        source: The model as loaded.
        onnx_file: Its export.

    Returns:
        `difference`: the largest found, relative to the largest value of its output; or `not compared`:
        the reason.

    Raises:
        EdgekitError: EK112 when an output differs or ONNX Runtime cannot run the export.
    """
    try:
        inputs, expected = _example(source)
    except _NoExampleError as failure:
        return {"not compared": str(failure)}
    again = [_numpy(t) for t in source.call(*inputs)]
    if any(_difference(a, e) > 0 for a, e in zip(again, expected, strict=True)):
        return {"not compared": "the model gives other values every time"}
    actual = _run_onnx(onnx_file, source, inputs)
    limit, worst = _LIMITS[_coarsest(onnx_file)], 0.0
    for name, a, e in zip(source.outputs, actual, expected, strict=True):
        difference = _difference(a, e)
        if not difference <= (limit if e.dtype.kind in "fV" else 0.0):
            raise _differs(name, difference, a, e)
        worst = max(worst, difference)
    return {"difference": f"{worst:.1e}"}


class _NoExampleError(Exception):
    """No random input suits the model; says why."""


def _example(source: Source) -> tuple[list[Any], list[np.ndarray[Any, Any]]]:
    """Returns inputs that the source accepts, with its outputs."""
    import tensorflow as tf

    free = any(None in spec.shape.as_list()[1:] for spec in source.inputs if spec.shape.rank)
    reason = ""
    sizes = _FREE_SIZES if free else _FREE_SIZES[:1]
    for size, integral in itertools.product(sizes, (False, True)):
        inputs = [_random(spec, i, size, integral) for i, spec in enumerate(source.inputs)]
        try:
            return inputs, [_numpy(t) for t in source.call(*inputs)]
        except (tf.errors.OpError, ValueError, TypeError, MemoryError) as failure:
            reason = (str(failure).strip() or type(failure).__name__).splitlines()[0][:240]
    raise _NoExampleError(f"TensorFlow cannot run the model on random inputs: {reason}")


def _random(spec: Any, seed: int, size: int, integral: bool) -> Any:
    """Returns normally distributed values, or 0 and 1, which are in the range of every vocabulary."""
    import tensorflow as tf

    if spec.shape.rank is None:
        raise _NoExampleError(f"the input `{spec.name}` has no fixed rank")
    free = [2, *[size] * spec.shape.rank]
    shape = [f if d is None else d for f, d in zip(free, spec.shape.as_list(), strict=False)]
    generator = np.random.default_rng(seed)
    if spec.dtype.is_floating and not integral:
        return tf.cast(generator.standard_normal(shape), spec.dtype)
    if spec.dtype.is_bool or spec.dtype.is_integer or spec.dtype.is_floating:
        return tf.cast(generator.integers(0, 2, shape), spec.dtype)
    raise _NoExampleError(f"the input `{spec.name}` has the dtype {spec.dtype.name}")


def _coarsest(onnx_file: Path) -> str:
    import onnx

    proto = onnx.load(onnx_file)
    used = {t.data_type for t in proto.graph.initializer}
    used |= {a.i for n in proto.graph.node if n.op_type == "Cast" for a in n.attribute if a.name == "to"}
    coarse = ("BFLOAT16", "FLOAT16")
    return next((name for name in coarse if onnx.TensorProto.DataType.Value(name) in used), "FLOAT")


def _run_onnx(onnx_file: Path, source: Source, inputs: list[Any]) -> list[np.ndarray[Any, Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    feeds = {spec.name: _numpy(x) for spec, x in zip(source.inputs, inputs, strict=True)}
    try:
        session = onnxruntime.InferenceSession(str(onnx_file), options, providers=["CPUExecutionProvider"])
        results = session.run(list(source.outputs), feeds)
    except Exception as failure:
        raise EdgekitError(
            Diagnostic(
                "EK112",
                "ONNX Runtime cannot run the graph that tf2onnx made of the model",
                notes=(str(failure).splitlines()[0][:240],),
            )
        ) from failure
    return [np.asarray(r) for r in results]


def _numpy(tensor: Any) -> np.ndarray[Any, Any]:
    return np.asarray(tensor)


def _difference(actual: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    """Largest difference relative to the largest finite value; infinite where one is NaN or shapes differ."""
    if actual.shape != expected.shape:
        return float("inf")
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    if same.all():
        return 0.0
    if not (np.isfinite(a[~same]).all() and np.isfinite(e[~same]).all()):
        return float("inf")
    return float(np.abs(a - e)[~same].max() / max(np.abs(e[np.isfinite(e)]).max(), 1e-6))


def _differs(
    name: str, difference: float, actual: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]
) -> EdgekitError:
    shapes = [f"its shape is {list(actual.shape)}, expected {list(expected.shape)}"]
    values = [f"the largest difference is {difference:.2g} of the output's range"]
    return EdgekitError(
        Diagnostic(
            "EK112",
            f"the graph that tf2onnx made of the model computes another `{name}`",
            notes=tuple(shapes if actual.shape != expected.shape else values),
            help="export the model to ONNX yourself and compare it with the source",
        )
    )
