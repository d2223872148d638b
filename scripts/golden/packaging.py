"""Samples, accuracy and card of a golden model, all taken from its `model.onnx`."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from safetensors.numpy import save

from .spec import Dataset, FloatArray, Port, Recipe, Split

SAMPLES = 32
SAMPLES_FILE = "samples.safetensors"
SCHEMA = "edgekit.golden-model/1"
SCRIPT = "scripts/train_golden.py"
# Retraining with other versions or another CPU gives other weights; the accuracy stays this near.
ACCURACY_TOLERANCE = 0.03


def package(recipe: Recipe, data: Dataset, folder: Path) -> float:
    """Write `samples.safetensors` and `card.yaml` beside `model.onnx`; return the accuracy."""
    outputs = _run(recipe, folder / "model.onnx", data.held_out.inputs)
    accuracy = recipe.metric.score(outputs, data.held_out.labels)
    shown = recipe.metric.score([o[:SAMPLES] for o in outputs], data.held_out.labels[:SAMPLES])
    _write_samples(recipe, data.held_out, outputs, folder)
    _yaml().dump(_card(recipe, data, accuracy, shown, folder), folder / "card.yaml")
    return accuracy


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    return yaml


def _run(recipe: Recipe, model: Path, inputs: FloatArray) -> list[FloatArray]:
    """Run samples one at a time, graph optimisations off; outputs stacked on the first axis."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in recipe.outputs]
    runs = [session.run(names, {recipe.input.name: inputs[i : i + 1]}) for i in range(len(inputs))]
    return [np.concatenate(values) for values in zip(*runs, strict=True)]


def _write_samples(recipe: Recipe, held_out: Split, outputs: list[FloatArray], folder: Path) -> None:
    """The first held-out samples as drawn by the split, not picked by how well they do."""
    tensors = {
        recipe.input.name: held_out.inputs[:SAMPLES],
        "labels": held_out.labels[:SAMPLES],
    }
    for port, values in zip(recipe.outputs, outputs, strict=True):
        tensors[f"output:{port.name}"] = values[:SAMPLES]
    # safetensors writes an array's buffer as it lies, so views must be laid out first.
    content = save({name: np.ascontiguousarray(value) for name, value in tensors.items()})
    (folder / SAMPLES_FILE).write_bytes(content)


def _card(recipe: Recipe, data: Dataset, accuracy: float, shown: float, folder: Path) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "id": recipe.id,
        "title": recipe.title,
        "task": recipe.task,
        "data": [
            {
                "name": source.name,
                "package": source.package,
                "version": source.package_version,
                "licence": source.licence,
                "creators": source.creators,
                "source": source.source,
            }
            for source in recipe.sources
        ],
        "split": {
            "train": len(data.train.labels),
            "held_out": len(data.held_out.labels),
            "method": recipe.split,
        },
        "script": SCRIPT,
        "seed": recipe.seed,
        "accuracy": {
            "metric": recipe.metric.name,
            "definition": recipe.metric.definition,
            "value": round(accuracy, 4),
            "samples": len(data.held_out.labels),
            "retraining_tolerance": ACCURACY_TOLERANCE,
        },
        "inputs": [_port(recipe.input) | {"preprocessing": recipe.preprocessing}],
        "outputs": [_port(port) for port in recipe.outputs],
        "samples": {
            "file": SAMPLES_FILE,
            "count": SAMPLES,
            "accuracy": round(shown, 4),
            "indexing": "sample i of input `x` is x[i:i+1]; its outputs are `output:<name>`[i:i+1]",
            "labels": recipe.labels,
            "reference": "onnxruntime, graph optimisations disabled, one sample at a time",
        },
        "tools": {"python": platform.python_version()}
        | {tool: version(tool) for tool in (*recipe.tools, "onnx", "onnxruntime", "numpy")},
        "files": [_file(path) for path in sorted(folder.iterdir()) if path.name != "card.yaml"],
    }


def _port(port: Port) -> dict[str, object]:
    shape = CommentedSeq(port.shape)
    shape.fa.set_flow_style()
    return {
        "name": port.name,
        "dtype": "float32",
        "shape": shape,
        "batch": "symbolic" if isinstance(port.batch, str) else "fixed",
        "meaning": port.meaning,
    }


def _file(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {
        "path": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
