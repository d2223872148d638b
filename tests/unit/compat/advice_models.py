"""One small model for each rewrite, and a target that takes the model only behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGE = (1, 4, 8, 8)


def one(op: str, shape: Sequence[Any], *constants: Any, **attrs: Any) -> onnx.ModelProto:
    """A model of one op; `None` among the constants leaves an operand out."""
    arrays = [None if c is None else np.asarray(c) for c in constants]
    names = ["" if a is None else f"c{i}" for i, a in enumerate(arrays)]
    node = helper.make_node(op, ["x", *names], ["y"], name="op", **attrs)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True) if a is not None],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def weights(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


MODELS = {
    "relabel-to-reshape": one("Squeeze", (1, 4, 1, 1), np.array([2, 3])),
    "gemm-to-matmul": one("Gemm", (1, 8), weights(8, 4), weights(4)),
    "mean-to-pool": one("ReduceMean", (1, 4, 5, 5), np.array([2, 3]), keepdims=0),
    "hard-activations-to-clip": one("HardSwish", IMAGE),
    "softmax-to-last-axis": one("Softmax", (1, 2, 3, 4), axis=1),
    "expand": one("LayerNormalization", (1, 6, 8), weights(8), weights(8), axis=-1),
    "gather-to-slice": one("Gather", (1, 6, 8), np.array(2), axis=1),
    "prelu-to-relu": one("PRelu", IMAGE, np.float32([0.1, 0.2, 0.3, 0.4]).reshape(4, 1, 1)),
    "cubic-to-linear": one("Resize", IMAGE, None, np.float32([1, 1, 2, 2]), mode="cubic"),
    "conv-1d-to-2d": one("Conv", (1, 4, 16), weights(8, 4, 3), pads=[1, 1], strides=[2]),
    "explicit-pads": one("Conv", IMAGE, weights(8, 4, 3, 3), auto_pad="SAME_UPPER"),
    "fixed-batch": one("Relu", ("n", 4, 8, 8)),
    "nearest-to-concat": one(
        "Resize",
        IMAGE,
        None,
        np.float32([1, 1, 2, 3]),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
}

TARGETS = {
    "relabel-to-reshape": "hls4ml-vitis",
    "gemm-to-matmul": "hls4ml-vitis",
    "mean-to-pool": "hls4ml-vitis",
    "hard-activations-to-clip": "nnapi",
    "softmax-to-last-axis": "am62a",
    "expand": "nnapi",
    "gather-to-slice": "android-gpu",
    "prelu-to-relu": "android-cpu-documented",
    "cubic-to-linear": "am62a",
    "conv-1d-to-2d": "nnapi",
    "explicit-pads": "rk3588",
    "fixed-batch": "android-gpu",
    "nearest-to-concat": "android-cpu",
}
"""A target that takes the model only behind the rewrite."""
