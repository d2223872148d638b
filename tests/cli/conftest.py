"""Runs command lines and compares what they print with plain files under `snapshots/`.

`EDGEKIT_UPDATE_SNAPSHOTS=1 pytest tests/cli` writes the files anew; the difference is then reviewed as code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from edgekit.cli.main import cli

SNAPSHOTS = Path(__file__).parent / "snapshots"

NORMAL = (
    (re.compile(r"edgekit-crash-\d{8}-\d{6}-\w+\.txt"), "edgekit-crash-TIME-ID.txt"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b[0-9a-f]{8,}\.\.\.[0-9a-f]{8,}"), "SHA...256"),
    (re.compile(r"\b(onnxruntime|litert)(\s+)\d+(\.\d+)*"), r"\1\2VERSION"),
    (re.compile(r"(?m)^(  y +agree ).*$"), r"\1 NUMBERS"),
    (re.compile(r"max error \S+ of the range"), "max error NUMBER of the range"),
    (re.compile(r"(?m)^(  size|  small\.\w+) +[\d.]+ k?B\b"), r"\1  SIZE"),
)
"""What differs between machines and releases."""


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    command: str
    code: int
    stdout: str
    stderr: str

    def text(self) -> str:
        parts = [f"$ {self.command}", f"exit {self.code}"]
        for title, content in (("stdout", self.stdout), ("stderr", self.stderr)):
            if content:
                parts.append(f"--- {title}\n{content.rstrip()}")
        return "\n".join(parts) + "\n"


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns a function that runs a command line in an empty folder, 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in [n for n in os.environ if n.startswith("EDGEKIT_")]:
        if name != "EDGEKIT_UPDATE_SNAPSHOTS":
            monkeypatch.delenv(name)

    def invoke(*arguments: str | Path) -> Outcome:
        words = [str(a) for a in arguments]
        result = CliRunner().invoke(cli, words, prog_name="edgekit")
        return Outcome(" ".join(["edgekit", *words]), result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def snapshot(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Outcome], None]:
    """Returns a function that compares an outcome with the file named like the test."""

    def check(outcome: Outcome) -> None:
        text = outcome.text().replace(str(tmp_path), "TMP")
        for pattern, name in NORMAL:
            text = pattern.sub(name, text)
        path = SNAPSHOTS / f"{request.node.name.removeprefix('test_')}.txt"
        if os.environ.get("EDGEKIT_UPDATE_SNAPSHOTS"):
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else "(no snapshot)"
        assert text == expected

    return check


def small_model(name: str = "small") -> onnx.ModelProto:
    """A convolution with ReLU and a product, with weights that are not symmetric."""
    weights = np.linspace(-1, 1, 108, dtype=np.float32).reshape(4, 3, 3, 3)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["r"], name="relu"),
            helper.make_node("Mul", ["r", "k"], ["y"], name="scale"),
        ],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.float32(0.5), "k")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Writes `small.onnx` into the working folder and returns its name."""
    onnx.save(small_model(), tmp_path / "small.onnx")
    return Path("small.onnx")


@pytest.fixture
def custom_model(tmp_path: Path) -> Path:
    """Writes `custom.onnx`, which holds an op that nobody defines, twice."""
    nodes = [
        helper.make_node("Magic", ["x"], ["a"], domain="com.example", name="body/magic_1"),
        helper.make_node("Magic", ["a"], ["y"], domain="com.example", name="body/magic_2"),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "custom", [ports[0]], [ports[1]])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "custom.onnx")
    return Path("custom.onnx")
