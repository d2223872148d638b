"""Small models and targets of their own, so that tests do not depend on what vendors' compilers take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.compat import target
from edgekit.compat.candidate import Candidate
from edgekit.compat.check import Compatibility, check
from edgekit.compat.targets import cpus_of
from edgekit.importers import load

FOLDER = Path(__file__).parent / "targets_of_tests"


def network(stride: int = 1, size: int = 8, last: str = "Sigmoid") -> onnx.ModelProto:
    """Conv, Relu, Conv with a stride, and a last op of choice."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(4, c, 3, 3)).astype(np.float32) for c in (3, 4)]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "w1"], ["c"], name="second", strides=[stride] * 2),
        helper.make_node(last, ["c"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


Judge = Callable[..., Compatibility]


@pytest.fixture
def judged() -> Judge:
    """Judges a model by the targets of this folder."""

    def run(model: onnx.ModelProto | Candidate, ids: Sequence[str] = ("tiny-npu",)) -> Compatibility:
        targets = [target(id_, [FOLDER]) for id_ in ids]
        candidate = (
            model if isinstance(model, Candidate) else Candidate.of_model(load(model), io_layout="nhwc")
        )
        return check(candidate, targets, cpus_of(targets, [FOLDER]))

    return run
