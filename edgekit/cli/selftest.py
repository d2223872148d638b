"""A small conversion with verification, run by `edgekit doctor` in a process of its own.

Prints one JSON object: `{"verdict": ..., "reason": ..., "runner": ...}` or `{"diagnostics": [...]}`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def small_model() -> Any:
    """Returns a convolution with ReLU on a [1, 3, 8, 8] image as an `onnx.ModelProto`."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weights = np.linspace(-1, 1, 4 * 3 * 3 * 3, dtype=np.float32).reshape(4, 3, 3, 3)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"], name="relu"),
        ],
        "selftest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run() -> dict[str, Any]:
    """Converts and verifies the small model and returns what came of it."""
    from edgekit import api
    from edgekit.diagnostics import EdgekitError

    try:
        verification = api.convert(small_model(), "tflite").verification
    except EdgekitError as failure:
        return {"diagnostics": [d.to_dict() for d in failure.diagnostics]}
    if verification is None:
        return {"verdict": "unverified", "reason": "no verdict was given", "runner": None}
    return {
        "verdict": str(verification.verdict),
        "reason": verification.reason,
        "runner": verification.runner,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run()) + "\n")
