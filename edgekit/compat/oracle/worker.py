"""Oracles that read ONNX in a Python of their own: a script there, a job and an answer as JSON files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from edgekit.compat.oracle.process import last_words, run_tool
from edgekit.diagnostics import Where, error


def ask_worker(
    tool: str, python: str, script: str, model: Any, job: Mapping[str, Any], timeout_s: float
) -> tuple[dict[str, Any], str]:
    """Gives a model to a worker.

    Args:
        tool: The tool's name, for messages.
        python: The Python that has it.
        script: The worker; it takes the path of the job, in whose folder it leaves `answer.json`.
        model: The ONNX model.
        job: What else it is told.
        timeout_s: Longest time in seconds.

    Returns:
        The answer, and what the worker printed.

    Raises:
        EdgekitError: As `run_tool`; EK522 if there is no answer.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-oracle-") as made:
        folder = Path(made)
        onnx.save(model, folder / "model.onnx")
        (folder / "job.json").write_text(json.dumps({"model": "model.onnx", **job}))
        run = [python, "-P", str(Path(script).absolute()), "job.json"]
        finished = run_tool(tool, run, folder, timeout_s=timeout_s)
        answer = folder / "answer.json"
        if not answer.is_file():
            raise error("EK522", f"{tool} left no answer", notes=last_words(finished.output))
        fields: dict[str, Any] = json.loads(answer.read_text())
        return fields, finished.output


def named_nodes(file: Path) -> Any:
    """Reads a model and gives its nodes names that tell them apart."""
    try:
        model = onnx.load(file)
    except Exception as failure:  # protobuf and onnx raise what they like
        where = Where(file=str(file))
        raise error("EK102", f"`{file.name}` is not an ONNX model: {failure}", where=where) from failure
    for position, node in enumerate(model.graph.node):
        node.name = f"node{position}"
    return model
