"""The scheme that a target asks for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.compat import target
from edgekit.compat.numerics import scheme_for
from edgekit.diagnostics import EdgekitError


def test_the_user_decides_then_the_target() -> None:
    assert scheme_for(None, None) == "int8"
    assert scheme_for(None, target("ethos-u55-128")) == "int8"
    assert scheme_for("int8-per-tensor", target("ethos-u55-128")) == "int8-per-tensor"
    assert scheme_for("int8", target("esp32-s3")) == "int8"


def test_what_no_scheme_does_is_refused() -> None:
    with pytest.raises(EdgekitError) as caught:
        scheme_for(None, target("hls4ml-vitis"))
    (problem,) = caught.value.diagnostics
    assert problem.code == "EK202"
    assert "no scheme" in problem.message


def test_scales_are_powers_of_two_where_the_target_asks_for_them() -> None:
    assert target("esp32-s3").numerics.power_of_two
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), "w")
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", 8), ("y", 4))]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", values[:1], values[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    data = [{"x": np.linspace(-1, 3, 8, dtype=np.float32)[None]}]
    artifact = api.quantize(model, target="esp32-s3", calibrate=data, verify=False)
    written = onnx.load_from_string(artifact.model_file.read())
    held = {t.name: numpy_helper.to_array(t) for t in written.graph.initializer}
    marks = [n for n in written.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    scales = [held[n.input[1]] for n in marks]
    assert scales
    assert all((np.log2(s) == np.rint(np.log2(s))).all() for s in scales)
