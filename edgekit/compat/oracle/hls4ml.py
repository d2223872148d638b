"""hls4ml: which nodes its ONNX front end reads, and whether the whole model becomes a design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.compat.oracle import hls4ml_worker
from edgekit.compat.oracle.base import ACCELERATOR, NOWHERE, Opinion, Placement
from edgekit.compat.oracle.find import Tool, python_for
from edgekit.compat.oracle.worker import ask_worker, named_nodes
from edgekit.diagnostics import error

TOOL = Tool(
    "hls4ml", "EDGEKIT_HLS4ML_PYTHON", "", "hls4ml", "pip install hls4ml qonnx in an environment of its own"
)
BACKENDS: Mapping[str, str] = {"vitis": "Vitis", "vivado": "Vivado", "oneapi": "oneAPI"}
STAGES = ("read", "converted")


@dataclass(frozen=True, slots=True)
class Hls4ml:
    """The oracle for FPGA designs of hls4ml. There is no CPU: a node that it does not take runs nowhere.

    Attributes:
        program: A Python that has `hls4ml` and `qonnx`; else `EDGEKIT_HLS4ML_PYTHON`, else this one.
        timeout_s: Longest time for one file, in seconds.
    """

    program: str | None = None
    timeout_s: float = 600.0
    name: str = "hls4ml"

    def opinion(self, file: Path, configuration: str) -> Opinion:
        """Converts an `.onnx` file, without building it; see `Oracle`.

        Args:
            file: The model.
            configuration: A target's id that ends with the back end, such as `hls4ml-vitis`.
        """
        python, word = python_for(TOOL, self.program), configuration.rpartition("-")[2]
        if word not in BACKENDS:
            raise error("EK205", f"`{configuration}` names no back end", notes=[", ".join(BACKENDS)])
        model = named_nodes(file)
        job = {"backend": BACKENDS[word]}
        fields, _ = ask_worker(TOOL.name, python, hls4ml_worker.__file__, model, job, self.timeout_s)
        placements = tuple(_placement(node, fields) for node in model.graph.node)
        return Opinion(self.name, fields["version"], BACKENDS[word], placements)


def _placement(node: Any, answer: Mapping[str, Any]) -> Placement:
    why, failed = str(answer["read"].get(node.name, "")), str(answer["error"])
    stages = {"read": not why, "converted": not why and not failed}
    unit = ACCELERATOR if stages["converted"] else NOWHERE
    return Placement(node.output[0] if node.output else "", node.op_type, unit, (why or failed)[:300], stages)
