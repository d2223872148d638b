"""ONNX Runtime's QNN provider with Qualcomm's compiler for HTP: which nodes it claims, validates, compiles.

The compiler is used as a black box, through the provider's public options and its log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.compat.oracle import qnn_worker
from edgekit.compat.oracle.base import ACCELERATOR, CPU, Opinion, Placement
from edgekit.compat.oracle.find import Tool, python_for
from edgekit.compat.oracle.worker import ask_worker, named_nodes
from edgekit.diagnostics import error

TOOL = Tool(
    "onnxruntime-qnn",
    "EDGEKIT_QNN_PYTHON",
    "",
    "onnxruntime_qnn",
    "pip install onnxruntime-qnn==2.7.0 in an environment of its own (439 MB, Qualcomm's licence)",
)
SOCS: Mapping[str, str] = {"68": "30", "69": "36", "73": "43", "75": "57", "79": "69"}
"""A chip of each version of HTP, as `soc_model` numbers them."""
STAGES = ("claimed", "validated", "compiled")
_UNIT = re.compile(r"Validation (?P<word>PASSED|FAILED) for \d+ nodes in OrtNodeUnit")
_NODE = re.compile(r"Node name: (?P<name>\S+)")
_LINE = re.compile(r"^\S*\d{4}-\d\d-\d\d ")
_UNCLAIMED = "are not supported by QNN EP"


@dataclass(frozen=True, slots=True)
class Qnn:
    """The oracle for Qualcomm HTP.

    Attributes:
        program: A Python that has `onnxruntime_qnn`; else `EDGEKIT_QNN_PYTHON`, else this one.
        timeout_s: Longest time for one file, in seconds.
    """

    program: str | None = None
    timeout_s: float = 600.0
    name: str = "qnn"

    def opinion(self, file: Path, configuration: str) -> Opinion:
        """Loads an `.onnx` file for a version of HTP; see `Oracle`.

        A node is on the accelerator if its unit is validated and the whole model compiles.

        Args:
            file: The model.
            configuration: A target's id that ends with the version, such as `qualcomm-htp-v75`.
        """
        python, arch = python_for(TOOL, self.program), configuration.rpartition("v")[2]
        if arch not in SOCS:
            raise error("EK205", f"`{configuration}` names no version of HTP", notes=[", ".join(SOCS)])
        model = named_nodes(file)
        job = {"arch": arch, "soc": SOCS[arch]}
        fields, log = ask_worker(TOOL.name, python, qnn_worker.__file__, model, job, self.timeout_s)
        units = units_of(log)
        if fields["error"] and not units:
            raise error("EK521", f"onnxruntime-qnn refuses the file: {fields['error'][:300]}")
        placements = tuple(_placement(node, units, fields) for node in model.graph.node)
        return Opinion(self.name, fields["version"], f"htp_arch={arch}", placements)


def units_of(log: str) -> dict[str, str]:
    """Reads which nodes the provider validated.

    Args:
        log: Its verbose log.

    Returns:
        Why a node is not taken, by its name; empty if it is. A node of several units keeps its first failure.
    """
    found: dict[str, str] = {}
    names: list[str] = []
    reason: list[str] | None = None
    for line in log.splitlines():
        unit = _UNIT.search(line)
        if unit is not None or _LINE.match(line):
            _settle(found, names, reason)
            names, reason = [], None if unit is None or unit["word"] == "PASSED" else []
        node = _NODE.search(line)
        if node is not None and not _LINE.match(line):
            names.append(node["name"].partition("_token_")[0])
        elif reason is not None and "REASON :" in line:
            reason.append(line.partition("REASON :")[2].strip())
    _settle(found, names, reason)
    return found


def _settle(found: dict[str, str], names: list[str], reason: list[str] | None) -> None:
    for name in names:
        why = "" if reason is None else " ".join(reason) or "it was not validated"
        found[name] = found.get(name) or why


def _placement(node: Any, units: Mapping[str, str], answer: Mapping[str, Any]) -> Placement:
    name = node.output[0] if node.output else ""
    why, failed = units.get(node.name), str(answer["error"])
    validated = why == ""
    stages = (why is not None and _UNCLAIMED not in why, validated, validated and not failed)
    reason = failed[:300] if validated and failed else why or ""
    unit = ACCELERATOR if stages[-1] else CPU
    return Placement(name, node.op_type, unit, reason, dict(zip(STAGES, stages, strict=True)))
