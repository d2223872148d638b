"""Chains of views: LiteRT must not write over what is still needed."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.runners import runner_for
from edgekit.runners.execute import run_artifact


def model(*views, dtype=TensorProto.INT32, size=6):
    """Views of a negated input, one of the other; 3 is added to the last, the first is needed later."""
    nodes = [helper.make_node("Neg", ["x"], ["n"])]
    for i, (op, *operands) in enumerate(views):
        attrs = operands.pop() if operands and isinstance(operands[-1], dict) else {}
        nodes.append(helper.make_node(op, ["n" if i == 0 else f"v{i - 1}", *operands], [f"v{i}"], **attrs))
    last = f"v{len(views) - 1}"
    nodes += [
        helper.make_node("Add", [last, "three"], ["sum"]),
        helper.make_node("Transpose", ["sum"], ["y"]),
        helper.make_node("Concat", ["v0", "v0"], ["z"], axis=0),
    ]
    constants = {"flat": [6], "tall": [3, 2], "front": [0]}
    initializers = [helper.make_tensor(k, TensorProto.INT64, [len(v)], v) for k, v in constants.items()]
    initializers.append(helper.make_tensor("three", dtype, [], [3]))
    outputs = [helper.make_tensor_value_info(n, dtype, None) for n in ("y", "z")]
    ports = [helper.make_tensor_value_info("x", dtype, ["n", 3] if size is None else [2, 3])]
    graph = helper.make_graph(nodes, "views", ports, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


CHAINS = {
    "reshape-reshape": [("Reshape", "flat"), ("Reshape", "tall")],
    "reshape-unsqueeze": [("Reshape", "flat"), ("Unsqueeze", "front")],
    "unsqueeze-reshape-squeeze": [("Unsqueeze", "front"), ("Unsqueeze", "front"), ("Squeeze", "front")],
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("dtype", [TensorProto.INT32, TensorProto.FLOAT])
@pytest.mark.parametrize("kernels", ["default", "builtin"])
@pytest.mark.parametrize("size", [6, None], ids=["static", "dynamic"])
def test_a_view_of_a_view_is_not_written_over(chain, dtype, kernels, size):
    x = np.arange(6).reshape(2, 3).astype(helper.tensor_dtype_to_np_dtype(dtype))
    artifact = api.convert(model(*CHAINS[chain], dtype=dtype, size=size), "tflite", verify=False)
    with runner_for("tflite", isolate=False, kernels=kernels) as runner:
        y, z = run_artifact(artifact, {"x": x}, runner).values()
    np.testing.assert_array_equal(np.sort(y.reshape(-1)), np.sort(3 - x.reshape(-1)))
    np.testing.assert_array_equal(z.reshape(-1), np.tile(-x.reshape(-1), 2))
