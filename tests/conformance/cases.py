"""ONNX's own backend node tests, with parameter operands bound as initializers.

A chip runs a network whose weights, axes, shapes and scales are part of the file, while the node
tests feed them all as inputs. Operands that are parameters by their meaning are bound; operands
that carry data stay inputs.
"""

from __future__ import annotations

import functools
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

PARAMETERS: dict[str, tuple[str, ...]] = {
    "AffineGrid": ("size",),
    "BatchNormalization": ("scale", "B", "input_mean", "input_var"),
    "CenterCropPad": ("shape",),
    "Clip": ("min", "max"),
    "Col2Im": ("image_shape", "block_shape"),
    "Conv": ("W", "B"),
    "ConvInteger": ("w", "x_zero_point", "w_zero_point"),
    "ConvTranspose": ("W", "B"),
    "CumProd": ("axis",),
    "CumSum": ("axis",),
    "DFT": ("dft_length", "axis"),
    "DeformConv": ("W", "B"),
    "DequantizeLinear": ("x_scale", "x_zero_point"),
    "Dropout": ("ratio", "training_mode"),
    "Expand": ("shape",),
    "GRU": ("W", "R", "B"),
    "Gemm": ("B", "C"),
    "GroupNormalization": ("scale", "bias"),
    "InstanceNormalization": ("scale", "B"),
    "LSTM": ("W", "R", "B", "P"),
    "LayerNormalization": ("Scale", "B"),
    "MatMulInteger": ("B", "a_zero_point", "b_zero_point"),
    "MaxUnpool": ("output_shape",),
    "MelWeightMatrix": ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"),
    "NonMaxSuppression": ("max_output_boxes_per_class", "iou_threshold", "score_threshold"),
    "OneHot": ("depth", "values"),
    "PRelu": ("slope",),
    "Pad": ("pads", "constant_value", "axes"),
    "QLinearConv": (
        "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point", "B",
    ),
    "QLinearMatMul": (
        "a_scale", "a_zero_point", "b", "b_scale", "b_zero_point", "y_scale", "y_zero_point",
    ),
    "QuantizeLinear": ("y_scale", "y_zero_point"),
    "RMSNormalization": ("scale",),
    "RNN": ("W", "R", "B"),
    "Range": ("start", "limit", "delta"),
    "Resize": ("roi", "scales", "sizes"),
    "Reshape": ("shape",),
    "RotaryEmbedding": ("cos_cache", "sin_cache"),
    "STFT": ("frame_step", "window", "frame_length"),
    "Slice": ("starts", "ends", "axes", "steps"),
    "Split": ("split",),
    "Squeeze": ("axes",),
    "Tile": ("repeats",),
    "TopK": ("K",),
    "Trilu": ("k",),
    "Unsqueeze": ("axes",),
    "Upsample": ("scales",),
    "ConstantOfShape": ("input",),
    "HannWindow": ("size",),
    "HammingWindow": ("size",),
    "BlackmanWindow": ("size",),
    **dict.fromkeys(
        ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
         "ReduceProd", "ReduceSum", "ReduceSumSquare"),
        ("axes",),
    ),
}  # fmt: skip
"""Formal names of the operands of each op that are parameters of a network, not data."""

_NONE, _STRING = onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING
_EXPANDED = re.compile(r"_expanded(_ver\d+|_function.*)?$")


@dataclass(frozen=True, slots=True)
class Case:
    """One node test.

    Attributes:
        name: ONNX's name of the test.
        model: The model, parameters bound.
        samples: Pairs of inputs by name and expected outputs in order.
        rtol: Relative tolerance that ONNX states.
        atol: Absolute tolerance that ONNX states.
    """

    name: str
    model: onnx.ModelProto
    samples: tuple[tuple[dict[str, np.ndarray], tuple[np.ndarray, ...]], ...]
    rtol: float
    atol: float


@functools.cache
def _tests() -> tuple[Any, ...]:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ONNX's generators overflow on purpose
        return tuple(load_model_tests(kind="node"))


@functools.cache
def all_cases() -> tuple[Case, ...]:
    """Returns the cases whose inputs and outputs are plain tensors of numbers."""
    bound = {t.name: _parameter_inputs(t.model) for t in _tests()}
    return tuple(_bind(t, bound[_base(t.name, bound)]) for t in _tests() if _is_plain(t))


def _base(name: str, known: dict[str, Any]) -> str:
    """An `_expanded` test binds what the test that it expands binds."""
    stem = _EXPANDED.sub("", name)
    return stem if stem in known else name


def _is_plain(test: Any) -> bool:
    graph = test.model.graph
    ports = [*graph.input, *graph.output]
    return all(p.type.tensor_type.elem_type not in (_NONE, _STRING) for p in ports)


def _parameter_inputs(model: onnx.ModelProto) -> frozenset[str]:
    names: set[str] = set()
    for node in model.graph.node:
        wanted = PARAMETERS.get(node.op_type, ())
        if node.domain or not wanted:
            continue
        opset = next(o.version for o in model.opset_import if not o.domain)
        formals = [p.name for p in onnx.defs.get_schema(node.op_type, opset, node.domain).inputs]
        names |= {a for f, a in zip(formals, node.input, strict=False) if f in wanted and a}
    return frozenset(names)


def _bind(test: Any, parameters: frozenset[str]) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    graph = model.graph
    ports = list(graph.input)
    samples = [(_arrays(graph.input, i), _arrays(graph.output, o)) for i, o in test.data_sets]
    first = samples[0][0]
    if all(set(s[0]) == set(first) and _same(s[0], first, parameters) for s in samples):
        del graph.input[:]
        graph.input.extend(p for p in ports if p.name not in parameters)
        for name in sorted(parameters & set(first)):
            graph.initializer.append(numpy_helper.from_array(first[name], name))
    kept = {p.name for p in graph.input}
    pairs = tuple(
        ({k: v for k, v in given.items() if k in kept}, tuple(expected.values()))
        for given, expected in samples
    )
    return Case(test.name, model, pairs, test.rtol, test.atol)


def _same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], names: frozenset[str]) -> bool:
    return all(np.array_equal(a[n], b[n]) for n in names & set(a))


def _arrays(ports: Any, values: Any) -> dict[str, np.ndarray]:
    return {
        p.name: numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else np.asarray(v)
        for p, v in zip(ports, values, strict=False)
    }
