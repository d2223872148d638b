"""ONNX to a TVM library: edgekit beside TVM's own importer and pipeline, and beside ONNX Runtime."""

from __future__ import annotations

import os

os.environ["TVM_NUM_THREADS"] = "1"

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from light_networks import LIGHT, ensure_light
from networks import ensure

NETWORKS = ("ResNet50", "MobileNetV2", *LIGHT)
Call = Callable[[Any], Any]
PAGE = """# Speed of TVM artifacts

ONNX to a library of TVM, in one run on one machine ({machine}): edgekit without tuning; TVM's own ONNX
importer with its default pipeline; ONNX Runtime with its default optimisations. *Conversion* is from the file
to something that runs, in a process that has imported everything, verification off; for ONNX Runtime it is
the making of a session. *Latency* is the median of one inference on one thread, taking turns; *relative* is
latency over ONNX Runtime's. *Difference* is the largest one from ONNX Runtime's output, relative to its
largest element. ResNet50 and MobileNetV2 are `keras.applications`, the others come with the onnx wheel; all
weights are random (which makes some softmaxes saturate, so that the difference says little). *int8* rows are
the same network quantised by edgekit with ranges of two random images: their conversion includes that, and
their difference is what the quantisation costs on random weights. {load}

`python benchmarks/bench_tvm.py --page docs/benchmarks-tvm.md` writes this page.

| network | tool | conversion s | latency ms | relative | difference |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One tool on one network."""

    network: str
    tool: str
    conversion_s: float
    latency_ms: float
    difference: float


def with_onnxruntime(source: Path) -> Call:
    """Makes a session on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def with_edgekit(source: Path) -> Call:
    """Converts with edgekit, on one thread."""
    from edgekit import api
    from edgekit.runners.tvm import TvmRunner

    artifact = api.convert(source, "tvm", verify=False)
    runner, payload = TvmRunner(threads=1), artifact.model_file.payload
    name = artifact.inputs[0].name
    return lambda x: next(iter(runner.run(payload, {name: x}).values()))


def _quantised(source: Path) -> Any:
    """Returns the QDQ model of a network, int8, with ranges of random images."""
    from edgekit import api

    model = api.load(source)
    shape, rng = _shape(source), np.random.default_rng(1)
    samples = [{model.inputs[0].name: rng.random(shape, np.float32)} for _ in range(2)]
    return api.quantize(model, "onnx", calibrate=samples, verify=False).model_file.payload


def with_edgekit_int8(source: Path) -> Call:
    """Quantises and converts with edgekit, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "qdq.onnx")
        path.write_bytes(_quantised(source))
        return with_edgekit(path)


def with_onnxruntime_int8(source: Path) -> Call:
    """Makes a session of the same QDQ model on one thread, with ONNX Runtime's integer kernels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "qdq.onnx")
        path.write_bytes(_quantised(source))
        return with_onnxruntime(path)


def with_tvm(source: Path) -> Call:
    """Converts with TVM alone, as its documentation does."""
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    model = from_onnx(onnx.load(source), keep_params_in_input=False)
    target = tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})
    machine = relax.VirtualMachine(tvm.compile(model, target=target), tvm.cpu())

    def call(x: Any) -> Any:
        result = machine["main"](tvm.runtime.tensor(x))
        return (result if hasattr(result, "numpy") else result[0]).numpy()

    return call


TOOLS: dict[str, Callable[[Path], Call]] = {
    "ONNX Runtime": with_onnxruntime,
    "edgekit": with_edgekit,
    "edgekit int8": with_edgekit_int8,
    "ONNX Runtime int8": with_onnxruntime_int8,
    "TVM": with_tvm,
}


def warmed_up() -> None:
    """Imports everything, so that no tool is charged for it."""
    import tvm.relax.frontend.onnx  # noqa: F401

    from edgekit.lowering.backends import backend_for
    from edgekit.lowering.tvm import compile, emit  # noqa: F401

    backend_for("tvm")


def measured(network: str, source: Path, seconds: float) -> list[Row]:
    """Converts and runs a network with every tool."""
    calls: dict[str, Call] = {}
    conversions: dict[str, float] = {}
    for tool, convert in TOOLS.items():
        start = time.perf_counter()
        calls[tool] = convert(source)
        conversions[tool] = time.perf_counter() - start
    x = np.random.default_rng(0).random(_shape(source), np.float32)
    want = calls["ONNX Runtime"](x)
    differences = {t: float(np.abs(call(x) - want).max() / np.abs(want).max()) for t, call in calls.items()}
    times = latencies(calls, x, seconds)
    return [Row(network, t, conversions[t], times[t], differences[t]) for t in calls]


def _shape(source: Path) -> list[int]:
    import onnx

    dims = onnx.load(source, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    return [d.dim_value or 1 for d in dims]


def latencies(calls: dict[str, Call], x: Any, seconds: float) -> dict[str, float]:
    """Returns median milliseconds; a tool that needs seconds takes part in fewer turns."""
    times: dict[str, list[float]] = {tool: [] for tool in calls}
    order = list(calls)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or any(len(t) < 3 for t in times.values()):
        for tool in order:
            if len(times[tool]) >= 3 and sum(times[tool]) > seconds / 3:
                continue
            start = time.perf_counter()
            calls[tool](x)
            times[tool].append(time.perf_counter() - start)
        order.reverse()
    return {tool: 1e3 * statistics.median(t) for tool, t in times.items()}


def page(rows: list[Row], load: float) -> str:
    """Returns the figures as Markdown."""
    busy = f"The load average was {load:.1f} on {os.cpu_count()} cores."
    lines = [PAGE.format(machine=f"{platform.machine()}, {os.cpu_count()} cores", load=busy).rstrip()]
    peers = {r.network: r.latency_ms for r in rows if r.tool == "ONNX Runtime"}
    for r in rows:
        lines.append(
            f"| {r.network} | {r.tool} | {r.conversion_s:.2f} | {r.latency_ms:.2f} "
            f"| {r.latency_ms / peers[r.network]:.2f} | {r.difference:.1e} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--seconds", type=float, default=15.0, help="latency measurement per network")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "edgekit-benchmarks")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    parser.add_argument("--page", type=Path, help="write the figures as a page, docs/benchmarks-tvm.md")
    args = parser.parse_args()
    warmed_up()
    rows: list[Row] = []
    for network in args.networks:
        light = network in LIGHT
        source = ensure_light(network, args.folder) if light else ensure(network, args.folder)[1]
        for row in measured(network, source, args.seconds):
            rows.append(row)
            print(
                f"{row.network:12} {row.tool:17} {row.conversion_s:7.2f} s {row.latency_ms:9.2f} ms "
                f"{row.difference:9.1e}",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps([asdict(r) for r in rows], indent=1))
    if args.page:
        args.page.write_text(page(rows, os.getloadavg()[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
