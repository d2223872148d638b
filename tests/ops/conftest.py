"""Benches for single ops: a node in ONNX Runtime (or the reference), and its artifact in its runtime."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from edgekit import api
from edgekit.diagnostics import EdgekitError
from edgekit.report.describe.emitted import emitted_ops
from edgekit.runners import runner_for
from edgekit.runners.base import Runner
from edgekit.runners.execute import ArtifactRunner

Array = NDArray[Any]
Dynamic = Collection[int] | Mapping[int, Collection[int]]
OPSET = 26
"""The newest that ONNX Runtime executes."""


class Bench:
    """Makes one-node models and holds their artifact against the source.

    Attributes:
        runner: Runs the artifacts; its child process outlives a failing test.
        backend: What the models are converted to.
        options: Options of the backend.
    """

    def __init__(
        self, runner: Runner, ort: Runner, backend: str = "tflite", options: Mapping[str, Any] | None = None
    ) -> None:
        self.runner = runner
        self.backend = backend
        self.options = options
        self._ort = ort

    def check(
        self,
        op: str,
        inputs: Sequence[Any],
        attrs: Mapping[str, Any] | None = None,
        *,
        outputs: int = 1,
        const: Collection[int] = (),
        dynamic: Dynamic = (),
        opset: int = OPSET,
        rtol: float = 1e-5,
        atol: float = 1e-6,
        expected: Sequence[Any] | None = None,
        reference: Callable[[onnx.ModelProto, dict[str, Array]], Sequence[Any]] | None = None,
    ) -> list[Array]:
        """Compares all outputs: dtype, shape, and values (exactly, unless they are floats).

        Args:
            op: ONNX op type.
            inputs: An array for each operand; `None` leaves one out.
            attrs: Attributes.
            outputs: How many outputs to ask for.
            const: Operands bound as initializers.
            dynamic: Operands whose sizes are all symbolic, or the symbolic axes by operand.
            opset: Opset of the model.
            rtol: Relative tolerance of floats.
            atol: Absolute tolerance of floats.
            expected: What to expect, instead of what the source gives in ONNX Runtime.
            reference: Computes what to expect.

        Returns:
            The artifact's outputs.
        """
        arrays = [None if a is None else np.asarray(a) for a in inputs]
        model = node_model(op, arrays, attrs, outputs, const, dynamic, opset)
        feed = {f"x{i}": a for i, a in enumerate(arrays) if a is not None and i not in const}
        if expected is None:
            expected = (reference or self._source)(model, feed)
        got = self.run(model, feed)
        assert len(got) == len(expected)
        for want, value in zip(map(np.asarray, expected), got, strict=True):
            assert value.dtype == want.dtype
            assert value.shape == want.shape
            compare(value, want, rtol, atol)
        return got

    def run(self, model: onnx.ModelProto, feed: Mapping[str, Array]) -> list[Array]:
        """Converts a model without verification and runs the artifact."""
        artifact = api.convert(model, self.backend, verify=False, options=self.options)
        with ArtifactRunner(artifact, self.runner) as runner:
            return list(runner.run(feed).values())

    def refused(
        self,
        op: str,
        inputs: Sequence[Any],
        attrs: Mapping[str, Any] | None = None,
        *,
        outputs: int = 1,
        const: Collection[int] = (),
        dynamic: Dynamic = (),
        opset: int = OPSET,
    ) -> str:
        """Converts and returns `code: message` of the refusal."""
        arrays = [None if a is None else np.asarray(a) for a in inputs]
        model = node_model(op, arrays, attrs, outputs, const, dynamic, opset)
        with pytest.raises(EdgekitError) as caught:
            api.convert(model, self.backend, verify=False, options=self.options)
        first = caught.value.diagnostics[0]
        return f"{first.code}: {first.message}"

    def emitted(
        self,
        op: str,
        inputs: Sequence[Any],
        attrs: Mapping[str, Any] | None = None,
        *,
        const: Collection[int] = (),
        dynamic: Dynamic = (),
        opset: int = OPSET,
    ) -> list[str]:
        """Converts and returns the names of the artifact's ops, TFLite's transposes left out."""
        arrays = [None if a is None else np.asarray(a) for a in inputs]
        model = node_model(op, arrays, attrs, 1, const, dynamic, opset)
        artifact = api.convert(model, self.backend, verify=False, options=self.options)
        return [e.op for e in emitted_ops(artifact) if e.op != "TRANSPOSE"]

    def _source(self, model: onnx.ModelProto, feed: dict[str, Array]) -> Sequence[Any]:
        names = [o.name for o in model.graph.output]
        try:
            results = self._ort.run(model.SerializeToString(), feed)
        except EdgekitError:
            return list(ReferenceEvaluator(model).run(None, feed))
        return [results[name] for name in names]


def node_model(
    op: str,
    arrays: Sequence[Array | None],
    attrs: Mapping[str, Any] | None,
    outputs: int,
    const: Collection[int],
    dynamic: Dynamic,
    opset: int,
) -> onnx.ModelProto:
    """Makes a model of one node; its outputs are typed by shape inference."""
    names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
    results = [f"y{i}" for i in range(outputs)]
    ports, initializers = [], []
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        if array is None:
            continue
        if i in const:
            initializers.append(numpy_helper.from_array(array, name))
            continue
        axes = (
            dynamic.get(i, ()) if isinstance(dynamic, Mapping) else range(array.ndim) if i in dynamic else ()
        )
        sizes = [f"{name}_{k}" if k in axes else d for k, d in enumerate(array.shape)]
        ports.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), sizes))
    node = helper.make_node(op, names, results, **(attrs or {}))
    wanted = [onnx.ValueInfoProto(name=r) for r in results]
    graph = helper.make_graph([node], op, ports, wanted, initializers)
    version = helper.make_opsetid("", opset)
    model = helper.make_model(graph, opset_imports=[version], ir_version=11 if opset < 25 else 13)
    return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def compare(value: Array, want: Array, rtol: float, atol: float) -> None:
    """Compares floats within tolerances, NaN with NaN, and everything else exactly."""
    if want.dtype.kind in "biuO":
        np.testing.assert_array_equal(value, want)
        return
    np.testing.assert_allclose(
        value.astype(np.float64), want.astype(np.float64), rtol=rtol, atol=atol, equal_nan=True
    )


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """The bench of TFLite; both runtimes live in child processes for the whole session."""
    with runner_for("tflite", timeout_s=60) as tflite, runner_for("onnx", timeout_s=60) as ort:
        yield Bench(tflite, ort)


@pytest.fixture(scope="session")
def coreml() -> Iterator[Bench]:
    """The bench of Core ML in fp32, whose evaluator is plain numpy and needs no child process."""
    pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
    with runner_for("coreml", isolate=False) as runner, runner_for("onnx", timeout_s=60) as ort:
        yield Bench(runner, ort, "coreml", {"precision": "fp32"})


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded source of test data."""
    return np.random.default_rng(2026)


@pytest.fixture
def draw(rng: np.random.Generator) -> Callable[..., Array]:
    """Draws a tensor of any dtype: the whole range of integers, a normal distribution of floats."""

    def make(dtype: Any, *shape: int, scale: float = 2.0) -> Array:
        kind = np.dtype(dtype)
        if kind.kind == "b":
            return rng.integers(0, 2, shape).astype(bool)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            return rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
        return (rng.standard_normal(shape) * scale).astype(kind)

    return make
