"""What the QNN provider logs, and workers that fail."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from edgekit.compat.oracle import oracle_for
from edgekit.compat.oracle.qnn import TOOL, units_of
from edgekit.diagnostics import EdgekitError

LOG = """2026-01-01 10:00:00.1 [V:onnxruntime:, x.cc:1 LogNodeSupport] Validation FAILED for 1 nodes in OrtNodeUnit (Erf) :
\tOperator type: Erf Node name: node2 Node index: 0
\tREASON : Operators of type `Erf` are not supported by QNN EP.Erf node `node2` will not be assigned to QNN EP.
2026-01-01 10:00:00.2 [V:onnxruntime:, x.cc:1 LogNodeSupport] Validation PASSED for 2 nodes in OrtNodeUnit (Conv) :
\tOperator type: DequantizeLinear Node name: node0 Node index: 0
\tOperator type: Conv Node name: node1_token_4 Node index: 1
2026-01-01 10:00:00.3 [V:onnxruntime:, x.cc:1 LogNodeSupport] Validation FAILED for 1 nodes in OrtNodeUnit (MaxPool) :
\tOperator type: MaxPool Node name: node3 Node index: 0
\tREASON : only dilations 1
2026-01-01 10:00:00.4 [V:onnxruntime:, x.cc:2 Other] Onnx node name: [node9]
"""  # noqa: E501 - lines of a log


def test_the_log_is_read_unit_by_unit() -> None:
    found = units_of(LOG)
    assert found["node0"] == ""
    assert found["node1"] == ""
    assert found["node3"] == "only dilations 1"
    assert "not supported by QNN EP" in found["node2"]
    assert "node9" not in found


def test_a_failure_outlives_a_later_pass() -> None:
    again = LOG.replace("FAILED", "PASSED").replace("REASON", "NOTE")
    assert units_of(LOG + again)["node3"] == "only dilations 1"
    assert units_of("") == {}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    port = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", port[:1], port[1:])
    path = tmp_path / "relu.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


def python(folder: Path, body: str) -> str:
    path = folder / "python"
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


ANSWER = '{"version": "0", "error": "%s"}'
PASSED = (
    "1 2026-01-01 Validation PASSED for 1 nodes in OrtNodeUnit (Relu) :\\n Node name: node0 Node index: 0"
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("kill -SEGV $$", "EK502"),
        ("exit 0", "EK522"),
        (f"echo '{ANSWER % 'InvalidGraph: no'}' > answer.json", "EK521"),
    ],
)
def test_each_way_of_failing_has_its_code(tmp_path: Path, model: Path, body: str, code: str) -> None:
    with pytest.raises(EdgekitError) as caught:
        oracle_for("qnn", program=python(tmp_path, body)).opinion(model, "qualcomm-htp-v75")
    assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize(("error", "unit"), [("", "npu"), ("EPFail: finalize", "cpu")])
def test_validated_is_not_compiled(tmp_path: Path, model: Path, error: str, unit: str) -> None:
    body = f"printf '{PASSED}\\n'; echo '{ANSWER % error}' > answer.json"
    opinion = oracle_for("qnn", program=python(tmp_path, body)).opinion(model, "qualcomm-htp-v68")
    (placement,) = opinion.placements
    assert placement.unit == unit
    assert dict(placement.stages) == {"claimed": True, "validated": True, "compiled": unit == "npu"}
    assert opinion.configuration == "htp_arch=68"


def test_a_chip_that_there_is_not(tmp_path: Path, model: Path) -> None:
    with pytest.raises(EdgekitError) as caught:
        oracle_for("qnn", program=python(tmp_path, "exit 0")).opinion(model, "qualcomm-htp-v12")
    assert caught.value.diagnostics[0].code == "EK205"


@pytest.mark.skipif(not os.environ.get(TOOL.variable), reason=f"{TOOL.variable} names no Python")
def test_the_real_one(model: Path) -> None:
    (placement,) = oracle_for("qnn").opinion(model, "qualcomm-htp-v75").placements
    assert placement.unit == "npu"
    assert np.all(list(placement.stages.values()))
