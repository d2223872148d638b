"""Reads an ONNX model with hls4ml; run as a script by the Python that has it.

It stands alone: that Python need not have edgekit. hls4ml ends at the first op that it does not take, so each
node is first given to the handler of its op, and the whole model is converted only if all are read.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Takes a file of the job, and leaves `answer.json` beside it."""
    place = Path(sys.argv[1])
    job = json.loads(place.read_text())
    import hls4ml
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(job["model"]))
    for constant in model.graph.initializer:  # handlers look for all shapes in one place
        about = onnx.helper.make_tensor_value_info(constant.name, constant.data_type, constant.dims)
        model.graph.value_info.append(about)
    answer: dict[str, Any] = {"version": hls4ml.__version__, "read": _read(model), "error": ""}
    if all(not why for why in answer["read"].values()):
        try:
            _convert(hls4ml, model, job["backend"])
        except Exception as failure:  # noqa: BLE001 - whatever it raises is the answer
            answer["error"] = f"{type(failure).__name__}: {failure}"
    place.with_name("answer.json").write_text(json.dumps(answer))


def _read(model: Any) -> dict[str, str]:
    """Returns why a node is not read, by its name; empty if it is."""
    # the package has a function of the same name, which hides the module
    reader = importlib.import_module("hls4ml.converters.onnx_to_hls")
    known, found = {*reader.get_supported_onnx_layers(), "Dropout", "Identity"}, {}
    for node in model.graph.node:
        if node.op_type not in known:
            found[node.name] = f"unsupported operation type: {node.op_type}"
            continue
        found[node.name] = ""
        handler = reader.layer_handlers.get(node.op_type)
        if handler is None:
            continue
        try:
            handler(node, list(node.input), reader.get_input_shape(model.graph, node), model.graph)
        except Exception as failure:  # noqa: BLE001 - whatever it raises is the answer
            found[node.name] = f"{type(failure).__name__}: {failure}"
    return found


def _convert(hls4ml: Any, model: Any, backend: str) -> None:
    """Converts as hls4ml's own instructions say: cleaned, with channels last."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    wrapped = cleanup_model(ModelWrapper(model))
    settings = hls4ml.utils.config_from_onnx_model(wrapped, granularity="name", backend=backend)
    hls4ml.converters.convert_from_onnx_model(
        wrapped, output_dir="design", backend=backend, hls_config=settings
    )


if __name__ == "__main__":
    main()
