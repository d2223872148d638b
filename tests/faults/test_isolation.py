"""Runtimes that abort, hang or eat memory: edgekit lives on and says what happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.diagnostics import EdgekitError, ExitCode
from edgekit.runners import runner_for
from edgekit.runners.isolated import IsolatedRunner

Make = Callable[..., bytes]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


def first(error: pytest.ExceptionInfo[EdgekitError]) -> Any:
    return error.value.diagnostics[0]


def loop(steps: int) -> bytes:
    """Adds one to `x` so many times."""
    boolean, one = TensorProto.BOOL, np.ones(1, np.float32)
    body = helper.make_graph(
        [helper.make_node("Add", ["v", "one"], ["w"]), helper.make_node("Identity", ["c"], ["d"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", boolean, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("d", boolean, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [1]),
        ],
        [onnx.numpy_helper.from_array(one, "one")],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [onnx.numpy_helper.from_array(np.array(steps), "n")],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    ).SerializeToString()


def huge() -> bytes:
    """Asks for 400 GB."""
    graph = helper.make_graph(
        [helper.make_node("Expand", ["x", "s"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.array([100_000_000_000]), "s")],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    ).SerializeToString()


ONE = {"x": np.zeros(1, np.float32)}


def test_a_runtime_that_hangs_is_ended() -> None:
    with runner_for("onnx", timeout_s=2) as runner:
        assert runner.run(loop(5), ONE)["y"].tolist() == [5.0]
        start = time.monotonic()
        with pytest.raises(EdgekitError) as error:
            runner.run(loop(2**60), ONE)
        assert time.monotonic() - start < 8
        assert first(error).code == "EK504"
        assert error.value.exit_code is ExitCode.UNAVAILABLE
        assert "within 2 s" in first(error).message
        assert runner.run(loop(7), ONE)["y"].tolist() == [7.0]


def test_a_runtime_that_is_killed_is_started_again() -> None:
    with runner_for("onnx") as runner:
        payload = loop(3)
        assert runner.run(payload, ONE)["y"].tolist() == [3.0]
        os.kill(runner._child._process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        with pytest.raises(EdgekitError) as error:
            runner.run(payload, ONE)
        assert first(error).code == "EK502"
        assert "SIGKILL" in first(error).message
        assert runner.run(payload, ONE)["y"].tolist() == [3.0]


def test_memory_is_limited() -> None:
    with IsolatedRunner("onnx") as runner:
        with pytest.raises(EdgekitError) as error:
            runner.run(huge(), ONE)
        assert first(error).code in ("EK502", "EK503")
        assert runner.run(loop(3), ONE)["y"].tolist() == [3.0]


def test_memory_that_is_allowed_can_be_used() -> None:
    big = np.zeros((32 * 2**20,), np.float32)
    payload = helper.make_model(
        helper.make_graph(
            [helper.make_node("Neg", ["x"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        ),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    ).SerializeToString()
    with IsolatedRunner("onnx") as runner:
        assert runner.run(payload, {"x": big})["y"].nbytes == big.nbytes
    with IsolatedRunner("onnx", memory=100 * 2**20) as runner, pytest.raises(EdgekitError) as error:
        runner.run(payload, {"x": big})
    assert first(error).code in ("EK502", "EK503")


def test_diagnostics_cross_the_process_border(make_tflite: Make) -> None:
    payload = make_tflite(dict.fromkeys("xy", ("FLOAT32", (2,), None)), [("NEG", ["x"], ["y"])], ["x"], ["y"])
    with runner_for("tflite") as runner:
        with pytest.raises(EdgekitError) as error:
            runner.run(payload, {"x": np.zeros(3, np.int32), "z": np.zeros(1)})
        assert [d.code for d in error.value.diagnostics] == ["EK505", "EK505"]
        with pytest.raises(EdgekitError) as error:
            runner.ports(b"no model at all, only some text")
        assert first(error).code == "EK503"
        assert runner.run(payload, {"x": np.ones(2, np.float32)})["y"].tolist() == [-1, -1]


def test_in_and_out_of_the_child_agree_with_this_process(make_tflite: Make) -> None:
    tensors = dict.fromkeys(("x", "t", "y"), ("FLOAT32", (-1, 3), None))
    payload = make_tflite(tensors, [("NEG", ["x"], ["t"]), ("EXP", ["t"], ["y"])], ["x"], ["y"])
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3)
    results = []
    for isolate in (False, True):
        with runner_for("tflite", isolate=isolate) as runner:
            results.append((runner.ports(payload), runner.run(payload, {"x": x}, intermediates=["t"])))
    assert results[0][0] == results[1][0]
    assert list(results[0][1]) == list(results[1][1])
    for name, array in results[0][1].items():
        np.testing.assert_array_equal(array, results[1][1][name])


def test_a_file_in_the_users_directory_does_not_shadow_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    with runner_for("onnx") as runner:
        assert runner.run(loop(3), ONE)["y"].tolist() == [3.0]


ORPHAN = """
import sys, threading, numpy as np
from edgekit.runners import runner_for
runner = runner_for("onnx", timeout_s=1)
runner.__enter__()
payload = open(sys.argv[1], "rb").read()
runner.ports(payload)
print(runner._child._process.pid, flush=True)
runner._timeout_s = 1  # the child gets it with the request
threading.Timer = lambda *a, **k: threading.Thread()  # this parent will not end it
threading.Thread.cancel = lambda self: None
runner.run(payload, {"x": np.zeros(1, np.float32)})
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_an_orphan_that_hangs_ends_itself(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(loop(2**60))
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(tmp_path / "m.onnx")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(1)  # it hangs by now
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.corpus
def test_an_interpreter_that_destroys_its_memory_is_not_trusted(corpus: Path) -> None:
    path = corpus / "tflite_micro" / "keyword_scrambled_8bit.tflite"
    runner = runner_for("tflite")
    x = np.random.default_rng(0).integers(-128, 127, (1, 96)).astype(np.int16)

    def run_and_close() -> None:  # where it dies differs from run to run
        with runner:
            (port,) = runner.ports(path).inputs
            runner.run(path, {port.name: x})

    with pytest.raises(EdgekitError) as error:
        run_and_close()
    assert first(error).code == "EK502"
    assert "SIG" in first(error).message
