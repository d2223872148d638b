"""How long a check of a large model against all targets takes, and how much memory.

    python benchmarks/bench_check.py [NODES ...]

Each size runs in a process of its own. The import of the model is not counted; loading the descriptors is.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZES = (1000, 10_000)


def network(nodes: int, seed: int = 0) -> onnx.ModelProto:
    """Builds a residual network of about so many nodes: convolutions, activations, branches."""
    rng = np.random.default_rng(seed)
    made, weights = [], {}
    value, block = "x", 0

    def weight(name: str, *shape: int) -> str:
        weights[name] = rng.normal(0, 0.1, shape).astype(np.float32)
        return name

    while len(made) < nodes - 3:
        b = f"b{block}_"
        made += [
            helper.make_node(
                "Conv", [value, weight(f"{b}w0", 16, 16, 1, 1), weight(f"{b}c0", 16)], [f"{b}0"]
            ),
            helper.make_node("Sigmoid", [f"{b}0"], [f"{b}1"]),
            helper.make_node("Mul", [f"{b}0", f"{b}1"], [f"{b}2"]),
            helper.make_node(
                "Conv", [f"{b}2", weight(f"{b}w1", 16, 1, 3, 3)], [f"{b}3"], group=16, pads=[1, 1, 1, 1]
            ),
            helper.make_node("HardSwish", [f"{b}3"], [f"{b}4"]),
            helper.make_node("Add", [f"{b}4", value], [f"{b}5"]),
            helper.make_node("MaxPool", [f"{b}5"], [f"{b}6"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Concat", [f"{b}5", f"{b}6"], [f"{b}7"], axis=1),
            helper.make_node("Conv", [f"{b}7", weight(f"{b}w2", 16, 32, 1, 1)], [f"{b}8"]),
            helper.make_node("Relu", [f"{b}8"], [f"{b}9"]),
        ]
        value, block = f"{b}9", block + 1
    made += [
        helper.make_node("GlobalAveragePool", [value], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Softmax", ["f"], ["y"]),
    ]
    graph = helper.make_graph(
        made,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, name) for name, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def measure(nodes: int) -> dict[str, Any]:
    """Checks one model against all targets, in this process."""
    from edgekit import api
    from edgekit.lowering.coreml.tools import coremltools

    model = api.load(network(nodes))
    coremltools()  # the import of a package is no work of the check
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, times = time.perf_counter(), {}
    last = [("start", started)]

    def progress(stage: str) -> None:
        now = time.perf_counter()
        times[last[0][0]] = times.get(last[0][0], 0.0) + now - last[0][1]
        last[0] = (stage, now)

    found = api.check(model, progress=progress)
    progress("end")
    return {
        "nodes": len(list(model.ir.graph)),
        "targets": len(found.results),
        "seconds": time.perf_counter() - started,
        "stages": times,
        "memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    print("| nodes | targets | seconds | of these: descriptors | memory |\n|---:|---:|---:|---:|---:|")
    for nodes in map(int, sys.argv[1:]) if sys.argv[1:] else SIZES:
        command = [sys.executable, __file__, "--one", str(nodes)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {row['nodes']:,} | {row['targets']} | {row['seconds']:.2f} "
            f"| {row['stages'].get('targets', 0):.2f} | {row['memory_mb']:.0f} MB |"
        )


if __name__ == "__main__":
    main()
