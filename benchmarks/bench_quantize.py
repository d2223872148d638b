"""Int8 after training beside the peers on the same models and data: accuracy, latency in LiteRT, size."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_tflite import latencies

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "scripts"))
CALIBRATION = 200
GOLDEN = ("digits_cnn_keras", "digits_cnn_torch", "mobile_se_torch", "detector_torch")
GESTURES = ("keypoint", "point_history")
WORST, SLOWEST = 0.2, 1.05
"""How many points ours may be less accurate than a peer, and how many times slower."""
PAGE = """# Int8 after training, beside the peers

The same float models and the same {calibration} calibration samples, in one run on one machine ({machine}).
*Accuracy* is on labels of samples that did not calibrate: top-1, for the detector F1; *SQNR* is of the worst
output against the float `.tflite` on the same samples. *Latency* is the median of one inference in LiteRT on
one thread, the artifacts of a model taking turns. Inputs are in NHWC, integers inside; public inputs and
outputs are float32 unless a tool makes them int8: such a file is compared with ours that has int8 too.

- `edgekit`: `edgekit quantize`, scheme `int8`, min-max, no options; `edgekit, int8 i/o`: with `--integer-io`;
  `edgekit, options`: with `--equalise --bias-correction --require-full-integer`, judged on a third of the
  calibration samples.
- `tensorflow`: `tf.lite.TFLiteConverter`, `TFLITE_BUILTINS_INT8`, on the Keras model, or on the SavedModel
  that onnx2tf makes of the ONNX file.
- `ai-edge-quantizer`: its recipe `static_wi8_ai8` on edgekit's float `.tflite`. Its calibration averages
  ranges over the samples with weights that fade, and so cuts off more than min-max does.

`python benchmarks/bench_quantize.py --onnx2tf PYTHON --aeq PYTHON --page docs/benchmarks-quantize.md` writes
this page. The gesture models and their tables are those of the optional corpus.

"""
_HEAD = "| model | tool | i/o | accuracy | SQNR dB | latency ms | size kB |\n|---|---|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Subject:
    """A float model with data.

    Attributes:
        name: Its name.
        source: What edgekit reads.
        native: What TensorFlow reads; `None` if onnx2tf must make it.
        fit: Calibration inputs, channels last.
        inputs: Inputs to judge with, channels last.
        labels: Their labels.
        metric: Of outputs in the order and layout of the source, and labels.
        is_nchw: Whether the source has channels first.
        is_open: Whether the batch is not fixed.
    """

    name: str
    source: Path
    native: Path | None
    fit: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray
    metric: Callable[[list[np.ndarray], np.ndarray], float]
    is_nchw: bool
    is_open: bool


def golden(name: str) -> Subject:
    """Returns a golden model with the whole held-out part of its data."""
    from golden.recipes import RECIPES

    recipe = next(r for r in RECIPES if r.id == name)
    data = recipe.data(recipe.seed)
    folder = ROOT / "golden" / "models" / name
    is_nchw = recipe.input.meaning.startswith("NCHW")
    order = np.random.default_rng(0).permutation(len(data.train.inputs))[:CALIBRATION]
    fit, judge = data.train.inputs[order], data.held_out.inputs
    if is_nchw:
        fit, judge = (np.moveaxis(a, 1, -1).copy() for a in (fit, judge))
    native = folder / "model.keras"
    return Subject(
        name, folder / "model.onnx", native if native.exists() else None, fit, judge, data.held_out.labels,
        recipe.metric.score, is_nchw, recipe.input.batch == "N",
    )  # fmt: skip


def gesture(name: str, corpus: Path) -> Subject:
    """Returns a gesture model of the corpus; rows are dealt to calibration and judging by a fixed shuffle."""
    rows = np.loadtxt(corpus / "hand_gesture" / f"{name}.csv", delimiter=",", dtype=np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    source = corpus / "hand_gesture" / f"{name}_classifier.hdf5"
    fit, judge = rows[:CALIBRATION, 1:], rows[CALIBRATION:, 1:]
    return Subject(
        f"gesture {name}",
        source,
        source,
        fit,
        judge,
        rows[CALIBRATION:, 0].astype(np.int64),
        _top1,
        False,
        True,
    )


def _top1(outputs: list[np.ndarray], labels: np.ndarray) -> float:
    return float((outputs[0].argmax(-1) == labels).mean())


def run(path: Path, inputs: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Runs a file on samples one by one; outputs come in the order and layout of `shapes`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (port,) = interpreter.get_input_details()
    outputs = [_matching(interpreter.get_output_details(), shape) for shape in shapes]
    results: list[list[np.ndarray]] = [[] for _ in shapes]
    for sample in inputs:
        interpreter.set_tensor(port["index"], _coded(sample[None].reshape(port["shape"]), port))
        interpreter.invoke()
        for held, (detail, perm) in zip(results, outputs, strict=True):
            held.append(_real(interpreter.get_tensor(detail["index"]), detail).transpose(perm))
    return [np.concatenate(held) for held in results]


def _matching(
    details: Sequence[dict[str, Any]], shape: tuple[int, ...]
) -> tuple[dict[str, Any], tuple[int, ...]]:
    last = (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
    for detail in details:
        if tuple(detail["shape"]) == shape:
            return detail, tuple(range(len(shape)))
        if tuple(detail["shape"]) == last:
            return detail, (0, 3, 1, 2)
    raise ValueError(f"no output of shape {shape}")


def _coded(values: np.ndarray, port: dict[str, Any]) -> np.ndarray:
    scale, zero = port["quantization"]
    if port["dtype"] == np.float32:
        return values
    limits = np.iinfo(port["dtype"])
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(port["dtype"])


def _real(values: np.ndarray, port: dict[str, Any]) -> np.ndarray:
    scale, zero = port["quantization"]
    return values if values.dtype == np.float32 else ((values.astype(np.float32) - zero) * scale)


def public_dtype(path: Path) -> str:
    """Returns the dtype of the first input of a file."""
    from ai_edge_litert.interpreter import Interpreter

    return np.dtype(Interpreter(model_path=str(path)).get_input_details()[0]["dtype"]).name


def sqnr(reference: list[np.ndarray], actual: list[np.ndarray]) -> float:
    """Signal to noise of the worst output, in dB."""
    noises = [
        (float(((a - b) ** 2).sum()), float((a**2).sum())) for a, b in zip(reference, actual, strict=True)
    ]
    return min(math.inf if n == 0 else 10 * math.log10(s / n) for n, s in noises)


def made(subject: Subject, folder: Path, args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Makes every artifact there is and says why another is not."""
    from edgekit import api

    samples = folder / "fit.npz"
    np.savez(samples, x=subject.fit)
    shape = (1, *subject.fit.shape[1:])
    layout = "nhwc" if subject.is_nchw else "source"
    model = api.load(subject.source)
    (x,) = model.inputs
    if subject.is_open:
        sizes = (1, shape[-1], *shape[1:-1]) if subject.is_nchw else shape
        model = api.load(subject.source, input_shapes={x.name: sizes})
    fit = np.moveaxis(subject.fit, -1, 1).copy() if subject.is_nchw else subject.fit
    given = {"calibrate": {x.name: fit}, "io_layout": layout, "verify": False}
    float_file = folder / "float.tflite"
    float_file.write_bytes(api.convert(model, io_layout=layout, verify=False).model_file.read())
    yield "float", float_file
    options = {
        "edgekit": {},
        "edgekit, int8 i/o": {"integer_io": True},
        "edgekit, options": {"equalise": True, "bias_correction": True, "require_full_integer": True},
    }
    for tool, more in options.items():
        path = folder / f"{tool.replace(', ', '-').replace('/', '')}.tflite"
        path.write_bytes(api.quantize(model, **given, **more).model_file.read())
        yield tool, path
    native = subject.native
    if native is None and args.onnx2tf:
        native = folder / "saved_model"
        flags = ["fixed"] if subject.is_open else []
        if not native.exists():
            peer(args.onnx2tf, "onnx2tf_saved_model.py", subject.source, native, *flags)
    for tool, python, script, source in (
        ("tensorflow", sys.executable, "ptq_tensorflow.py", native),
        ("ai-edge-quantizer", args.aeq, "ptq_ai_edge_quantizer.py", float_file),
    ):
        path = folder / f"{tool}.tflite"
        can = python is not None and source is not None and not path.exists()
        why = peer(python, script, source, samples, path) if can else "absent"
        if path.exists():
            yield tool, path
        else:
            print(f"{subject.name}: {tool}: {why}", flush=True)


def peer(python: str, script: str, *arguments: object) -> str:
    """Runs a peer in a process of its own; returns the last thing it said."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("PYTHONPATH", None)
    command = [python, str(HERE / "peers" / script), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=tempfile.gettempdir(), check=False
    )
    return (done.stderr.strip().splitlines() or ["no message"])[-1][:200]


def measure(subject: Subject, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns one record for each tool."""
    folder = args.folder / subject.name.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.tflite") if not args.reuse else ():
        old.unlink()
    artifacts = dict(made(subject, folder, args))
    from edgekit import api

    specs = api.load(subject.source).outputs
    shapes = [tuple(d if isinstance(d, int) else 1 for d in spec.shape or ()) for spec in specs]
    outputs = {tool: run(path, subject.inputs, shapes) for tool, path in artifacts.items()}
    times = latencies(artifacts, args.seconds)
    records = []
    for tool, path in artifacts.items():
        record = {
            "model": subject.name,
            "tool": tool,
            "samples": len(subject.inputs),
            "accuracy": subject.metric(outputs[tool], subject.labels),
            "sqnr_db": sqnr(outputs["float"], outputs[tool]),
            "latency_ms": times[tool],
            "size": path.stat().st_size,
            "io": public_dtype(path),
        }
        records.append(record)
        print(json.dumps(record), flush=True)
    return records


def verdicts(records: Sequence[dict[str, Any]]) -> list[str]:
    """Says where ours is less accurate or slower than a peer by more than is allowed."""
    lines = []
    for record in records:
        if record["tool"] == "float" or record["tool"].startswith("edgekit"):
            continue
        same = "edgekit" if record["io"] == "float32" else "edgekit, int8 i/o"  # copies of float32 cost too
        ours = next(r for r in records if r["model"] == record["model"] and r["tool"] == same)
        points = 100 * (record["accuracy"] - ours["accuracy"])
        times = ours["latency_ms"] / record["latency_ms"]
        if points > WORST:
            lines.append(f"{record['model']}: {points:.2f} points less accurate than {record['tool']}")
        if times > SLOWEST:
            lines.append(f"{record['model']}: {times:.2f} times as long as {record['tool']}")
    return lines


def page(records: Sequence[dict[str, Any]]) -> str:
    """Returns the figures as Markdown."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    lines = [PAGE.format(calibration=CALIBRATION, machine=machine), _HEAD]
    for r in records:
        noise = "inf" if math.isinf(r["sqnr_db"]) else f"{r['sqnr_db']:.1f}"
        lines.append(
            f"| {r['model']} ({r['samples']}) | {r['tool']} | {r['io']} | {100 * r['accuracy']:.2f} "
            f"| {noise} | {r['latency_ms']:.4f} | {r['size'] / 1e3:.1f} |\n"
        )
    found = verdicts(records) or ["nowhere"]
    limits = f"more than {WORST} points less accurate, or more than {SLOWEST} times as long, as a peer"
    lines.append(f"\n`edgekit` is {limits}:\n\n" + "".join(f"- {line}\n" for line in found))
    return "".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=[*GOLDEN, *GESTURES], choices=[*GOLDEN, *GESTURES])
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--onnx2tf", metavar="PYTHON", help="interpreter of an environment with onnx2tf")
    parser.add_argument(
        "--aeq", metavar="PYTHON", help="interpreter of an environment with ai-edge-quantizer"
    )
    parser.add_argument("--reuse", action="store_true", help="take what peers made in an earlier run")
    parser.add_argument("--seconds", type=float, default=3.0, help="latency measurement per artifact")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "edgekit-benchmarks-int8"
    )
    parser.add_argument(
        "--json", type=Path, help="keep the figures in a file, those of models not measured now too"
    )
    parser.add_argument("--page", type=Path, help="write the figures as a page")
    args = parser.parse_args()
    records: list[dict[str, Any]] = []
    if args.json and args.json.exists():
        records = json.loads(args.json.read_text())
    for name in args.models:
        if name in GESTURES and not (args.corpus / "hand_gesture").is_dir():
            print(f"{name}: the corpus is not there", flush=True)
            continue
        subject = gesture(name, args.corpus) if name in GESTURES else golden(name)
        records = [r for r in records if r["model"] != subject.name] + measure(subject, args)
    if args.json:
        args.json.write_text(json.dumps(records, indent=1))
    if args.page:
        args.page.write_text(page(records))
    print("\n".join(verdicts(records)) or "nowhere worse than allowed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
