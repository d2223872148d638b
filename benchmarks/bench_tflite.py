"""ONNX to `.tflite`, edgekit beside its peers: conversion time, memory, and latency of the artifacts."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from networks import NETWORKS, ensure

HERE = Path(__file__).parent
TOOLS = ("edgekit", "onnxsim", "onnx2tf", "tensorflow")
PATIENCE = 30.0
"""Seconds; a tool that takes longer for one conversion is not run again, on other networks neither."""
PAGE = """# Speed

ONNX to `.tflite` beside the peers, in one run on one machine ({machine}): medians of {runs} processes for
each tool (one that takes over half a minute runs once), verification off. *Imports* are all modules that a
conversion needs; *in process* is the conversion after them, from the file to the file; *whole* is the process
from start to end. Latency is the median of one inference in LiteRT on one thread, the artifacts of a network
taking turns. TensorFlow's converter starts from the Keras model, since it does not read ONNX. The networks
are `keras.applications` with random weights.

`python benchmarks/bench_tflite.py --page docs/benchmarks.md` writes this page.
"""
_TABLE = (
    "| network | tool | imports s | in process s | whole s | peak MB | file MB | latency ms |",
    "|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Conversion:
    """Medians over the runs of one tool on one network; seconds and megabytes."""

    network: str
    tool: str
    imports_s: float
    in_process_s: float
    whole_s: float
    peak_mb: float
    size_mb: float


def convert(tool: str, python: str, source: Path, target: Path) -> tuple[float, float, float, float] | str:
    """Runs one conversion as a process of its own; returns its times and peak memory, or why not."""
    script = HERE / "peers" / (f"{tool}.py" if tool.startswith("coreml") else f"{tool}_.py")
    command = [python, str(script), str(source), str(target)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules are cached, as in an installation
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env=environment, cwd=tempfile.gettempdir()
        )
        process.wait()
        whole = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        if process.returncode or not target.exists():
            return (err.read().strip().splitlines() or ["no message"])[-1]
        imports, inside, peak = map(float, out.read().split()[-3:])
    return imports, inside, whole, peak


def repeated(run: Callable[[], Any], times: int) -> list[Any]:
    """Returns the results of several runs, fewer where they take more than `PATIENCE` together."""
    start, results = time.perf_counter(), [run()]
    while len(results) < times and time.perf_counter() - start < PATIENCE * len(results):
        results.append(run())
    return results


def latencies(artifacts: dict[str, Path], seconds: float) -> dict[str, float]:
    """Median milliseconds of one inference on one thread, the artifacts taking turns."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    runs = {}
    for tool, path in artifacts.items():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        detail = interpreter.get_input_details()[0]
        data = np.random.default_rng(0).random(detail["shape"], np.float32)
        whole = 1 if data.dtype == detail["dtype"] else 127  # integers, where the file takes some
        interpreter.set_tensor(detail["index"], (whole * data).astype(detail["dtype"]))
        for _ in range(5):
            interpreter.invoke()
        runs[tool] = (interpreter, [])
    end = time.perf_counter() + seconds * len(runs)
    order = list(runs)
    while time.perf_counter() < end or any(len(times) < 20 for _, times in runs.values()):
        for tool in order:
            interpreter, times = runs[tool]
            start = time.perf_counter()
            interpreter.invoke()
            times.append(time.perf_counter() - start)
        order.reverse()  # ABBA, so that drift cancels
    return {tool: 1e3 * statistics.median(times) for tool, (_, times) in runs.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--tools", nargs="*", default=TOOLS, choices=TOOLS)
    parser.add_argument("--onnx2tf", metavar="PYTHON", help="interpreter of an environment with onnx2tf")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="latency measurement per artifact")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "edgekit-benchmarks")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    parser.add_argument("--page", type=Path, help="write the figures as a page, docs/benchmarks.md")
    args = parser.parse_args()
    records: list[dict[str, Any]] = []
    slow: set[str] = set()
    for network in args.networks:
        _, source = ensure(network, args.folder)
        artifacts: dict[str, Path] = {}
        print(f"\n{network}: {source.stat().st_size / 1e6:.1f} MB as ONNX", flush=True)
        print(f"{'tool':12}{'imports':>9}{'in process':>12}{'whole':>9}{'peak':>10}{'file':>9}", flush=True)
        for tool in args.tools:
            python = args.onnx2tf if tool == "onnx2tf" else sys.executable
            if python is None:
                print(f"{tool:12} absent: give its interpreter with --onnx2tf", flush=True)
                continue
            target = args.folder / f"{network}.{tool}.tflite"
            target.unlink(missing_ok=True)
            if tool in slow:
                print(f"{tool:12} left out: it took over {PATIENCE:.0f} s for a network before", flush=True)
                continue
            found = repeated(partial(convert, tool, python, source, target), args.runs)
            failed = [f for f in found if isinstance(f, str)]
            if any(not isinstance(f, str) and f[2] > PATIENCE for f in found):
                slow.add(tool)
            if failed:
                print(f"{tool:12} failed: {failed[0][:90]}", flush=True)
                continue
            imports, inside, whole, peak = (statistics.median(column) for column in zip(*found, strict=True))
            row = Conversion(network, tool, imports, inside, whole, peak, target.stat().st_size / 1e6)
            records.append(asdict(row))
            artifacts[tool] = target
            print(
                f"{tool:12}{imports:8.2f}s{inside:11.3f}s{whole:8.2f}s{peak:8.0f}MB{row.size_mb:7.1f}MB",
                flush=True,
            )
        for tool, ms in latencies(artifacts, args.seconds).items():
            records.append({"network": network, "tool": tool, "latency_ms": ms})
            print(f"{tool:12} LiteRT, one thread: {ms:8.2f} ms", flush=True)
    if args.json:
        args.json.write_text(json.dumps(records, indent=1))
    if args.page:
        args.page.write_text(page(records, args.runs))
    return 0


def page(records: list[dict[str, Any]], runs: int) -> str:
    """Returns the figures as Markdown, the best peer beside each of ours."""
    networks = list(dict.fromkeys(r["network"] for r in records))
    lines = [PAGE.format(runs=runs, machine=f"{platform.machine()}, {os.cpu_count()} cores"), *_TABLE]
    for network in networks:
        for r in (r for r in records if r["network"] == network and "whole_s" in r):
            ms = next(x["latency_ms"] for x in records if _is_latency(x, network, r["tool"]))
            lines.append(
                f"| {network} | {r['tool']} | {r['imports_s']:.2f} | {r['in_process_s']:.3f} "
                f"| {r['whole_s']:.2f} | {r['peak_mb']:.0f} | {r['size_mb']:.1f} | {ms:.2f} |"
            )
    return "\n".join(lines) + "\n"


def _is_latency(record: dict[str, Any], network: str, tool: str) -> bool:
    return record["network"] == network and record["tool"] == tool and "latency_ms" in record


if __name__ == "__main__":
    sys.exit(main())
