"""The source model with every rounding drawn anew: how far float32 alone moves its outputs.

Monte Carlo arithmetic (D. S. Parker, "Monte Carlo Arithmetic", UCLA, 1997) on the level of ops: inputs and
weights move by one unit in the last place, up or down, and so does what each op computes. A sum moves by
more units, for runtimes add in different orders: by sqrt(n) for n products with weights of both signs
(N. J. Higham and T. Mary, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41,
2019), by n / 2 for n elements of one reduction, whose roundings need not cancel (N. J. Higham, "Accuracy and
Stability of Numerical Algorithms", section 4.2). Ops that only move or choose values add nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from edgekit.consistency.samples import Sample
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.runners import Array, runner_for

TRIALS = 4
LARGEST = 200_000_000
"""Bytes of weights, above which a model is not perturbed: each trial holds a copy."""
_UNIT = 2.0**-23
"""Distance between 1 and the next float32."""

_EXACT = frozenset(
    ("Abs", "Cast", "Clip", "Compress", "Concat", "Constant", "ConstantOfShape", "DepthToSpace",
     "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "GlobalMaxPool", "Identity", "If",
     "Loop", "Max", "MaxPool", "MaxUnpool", "Min", "Neg", "Pad", "Range", "ReduceMax", "ReduceMin",
     "Relu", "Reshape", "ReverseSequence", "Scan", "ScatterElements", "ScatterND", "Sign", "Slice",
     "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Where")
)  # fmt: skip
"""Ops that round nothing, and those whose bodies do the work."""

_SIZED = {"Resize": 1, "Upsample": 1, "Range": 0}
"""Ops that make shapes of floats, and the first operand that is one of these: they must not move."""


class PerturbedSource:
    """A float32 model, run with its roundings drawn anew; a context manager.

    Attributes:
        problem: Why a sample could not be run, once that is so.
    """

    def __init__(
        self, model: Model, samples: Sequence[Sample], *, isolate: bool = True, seconds: float = 60.0
    ) -> None:
        """Prepares; nothing runs before the first sample is asked for.

        Args:
            model: The source model.
            samples: Inputs by name, in the source model's dtypes.
            isolate: Run in a child process.
            seconds: Time for all samples together; what does not fit is not run.
        """
        self._model = model
        self._samples = samples
        self._left = seconds
        self._runners = [runner_for("onnx", isolate=isolate, timeout_s=seconds) for _ in range(TRIALS)]
        self._payloads: list[bytes] = []
        self._results: dict[int, list[dict[str, Array]]] = {}
        self.problem: str | None = None

    def outputs(self, sample: int) -> Sequence[Mapping[str, Array]]:
        """Returns the outputs of a sample by name, one mapping per trial; none where they cannot be had."""
        if sample not in self._results:
            start = time.monotonic()
            self._results[sample] = [] if self.problem else self._run(sample)
            self._left -= time.monotonic() - start
            if self._left <= 0:
                self.problem = self.problem or "there was no time to measure its own rounding"
        return self._results[sample]

    def _run(self, sample: int) -> list[dict[str, Array]]:
        try:
            if not self._payloads:
                self._payloads = [perturbed(self._model, trial) for trial in range(TRIALS)]
            results = []
            for trial, (runner, payload) in enumerate(zip(self._runners, self._payloads, strict=True)):
                rng = np.random.default_rng((trial, sample))
                feed = {name: moved(np.asarray(a), rng) for name, a in self._samples[sample].items()}
                results.append(runner.run(payload, feed))
        except EdgekitError as failure:
            self.problem = f"its own rounding cannot be measured: {failure.diagnostics[0].message}"
            return []
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in self._runners:
            runner.__exit__(kind, raised, trace)


def is_small_enough(model: Model) -> bool:
    """Tells whether a model's weights leave room for perturbed copies."""
    weights = (v.const_value for v in model.ir.graph.initializers.values())
    return sum(w.nbytes for w in weights if w is not None) <= LARGEST


def moved(array: Array, rng: np.random.Generator) -> Array:
    """Returns a float32 array with each element one unit in the last place away; others unchanged."""
    if array.dtype != np.float32:
        return array
    towards = np.where(rng.integers(0, 2, array.shape) == 0, -np.inf, np.inf).astype(np.float32)
    with np.errstate(over="ignore"):
        return np.asarray(np.where(array == 0, array, np.nextafter(array, towards)), np.float32)


def perturbed(model: Model, seed: int) -> bytes:
    """Returns a model whose main graph moves its weights and what its ops compute.

    Args:
        model: A float32 model; nested graphs move with the values that they capture.
        seed: Seed of the roundings.
    """
    rng = np.random.default_rng(seed)
    proto = shape_inference.infer_shapes(model.to_proto())
    graph = proto.graph
    sizes = {
        name for node in graph.node if node.op_type in _SIZED for name in node.input[_SIZED[node.op_type] :]
    }
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in sizes:
            array = moved(numpy_helper.to_array(tensor), rng)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    types = {p.name: p.type.tensor_type for p in (*graph.input, *graph.output, *graph.value_info)}
    shapes = {name: _sizes(kind) for name, kind in types.items()}
    shapes |= {t.name: tuple(t.dims) for t in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        nodes.append(copy)
        if node.op_type in _EXACT or node.domain:
            continue
        step = _UNIT * units(node, shapes)
        for place, name in enumerate(node.output):
            if name in types and types[name].elem_type == TensorProto.FLOAT:
                copy.output[place] = f"{name}/exact"
                nodes.extend(_noise(name, step, float(rng.integers(1, 2**20))))
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    return bytes(proto.SerializeToString())


def units(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> float:
    """Returns how many units in the last place the order of a node's sums may move its result; at least 1.

    Args:
        node: The node.
        shapes: Sizes by name, as far as they are known.
    """
    first, second = (tuple(shapes.get(name, ())) for name in (*node.input, "", "")[:2])
    if node.op_type == "Conv":
        return math.sqrt(max(1, math.prod(second[1:])))
    if node.op_type == "ConvTranspose":
        return math.sqrt(max(1, math.prod(second) // max((1, *second[1:2]))))
    if node.op_type in ("LSTM", "GRU", "RNN"):
        return math.sqrt(max((1, *second[-1:])))
    if node.op_type in ("MatMul", "Gemm", "Einsum"):
        return math.sqrt(max((1, *first[-1:])))
    if node.op_type.startswith("Reduce") or node.op_type.endswith(
        ("AveragePool", "Normalization", "Softmax")
    ):
        made = math.prod(shapes.get(node.output[0], ()))
        summed = math.prod(first) // max(1, made) if made < math.prod(first) else max((1, *first[-1:]))
        return max(1.0, summed / 2)
    return 1.0


def _sizes(kind: Any) -> tuple[int, ...]:
    """Returns sizes, 1 where they are open: an open size then adds no terms."""
    return tuple(d.dim_value or 1 for d in kind.shape.dim)


def _noise(name: str, step: float, seed: float) -> list[onnx.NodeProto]:
    exact, drawn, change = (f"{name}/{part}" for part in ("exact", "drawn", "change"))
    return [
        helper.make_node("RandomUniformLike", [exact], [drawn], low=-step, high=step, seed=seed),
        helper.make_node("Mul", [exact, drawn], [change]),
        helper.make_node("Add", [exact, change], [name]),
    ]
