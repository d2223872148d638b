"""Loads a model in ONNX Runtime with the QNN provider; run as a script by the Python that has it.

It stands alone: that Python need not have edgekit. What the provider decides of each node it only logs, so
the log goes to stderr in full and the caller reads it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROVIDER = "QNNExecutionProvider"


def main() -> None:
    """Takes a file of the job, and leaves `answer.json` beside it."""
    place = Path(sys.argv[1])
    job = json.loads(place.read_text())
    import onnxruntime
    import onnxruntime_qnn

    onnxruntime.register_execution_provider_library(PROVIDER, onnxruntime_qnn.get_library_path())
    answer: dict[str, Any] = {"version": onnxruntime_qnn.__version__, "error": ""}
    try:
        session = _session(onnxruntime, onnxruntime_qnn.get_qnn_htp_path(), job)
        answer["assigned"] = {
            node.name: part.ep_name
            for part in session.get_provider_graph_assignment_info()
            for node in part.get_nodes()
        }
    except Exception as failure:  # noqa: BLE001 - whatever it raises is the answer
        answer["error"] = f"{type(failure).__name__}: {failure}"
    place.with_name("answer.json").write_text(json.dumps(answer))


def _session(runtime: Any, library: str, job: dict[str, Any]) -> Any:
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.log_severity_level, options.log_verbosity_level = 0, 1
    devices = [d for d in runtime.get_ep_devices() if d.ep_name == PROVIDER]
    chip = {"htp_arch": job["arch"], "soc_model": job["soc"]}
    settings = {"backend_path": library, "offload_graph_io_quantization": "0", **chip}
    options.add_provider_for_devices(devices[:1], settings)
    return runtime.InferenceSession(job["model"], options)


if __name__ == "__main__":
    main()
