"""PyTorch to Core ML: edgekit beside coremltools' own PyTorch front end."""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from bench_tflite import convert, repeated
from torch_networks import NETWORKS, make

TOOLS = ("edgekit", "torch")
PAGE = """# Core ML packages from PyTorch

The same PyTorch module to an `.mlpackage` (ML Program, iOS 18, fp16), in one run on one machine ({machine}):
medians of {runs} processes for each tool. *Imports* are the modules that a conversion needs and the making of
the network; *in process* is the conversion after them, to the saved package; *whole* is the process from
start to end. *Ops* are those of the program, constants left out. Both packages are evaluated on Linux by
edgekit's evaluator of ML Programs (no Core ML runs there); *off by* is the largest difference from PyTorch,
relative to the output's range.

`python benchmarks/bench_coreml.py --page docs/benchmarks-coreml.md` writes this page.

| network | tool | imports s | in process s | whole s | peak MB | package MB | ops | off by |
|---|---|---|---|---|---|---|---|---|
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--page", type=Path, help="write the figures as a page, docs/benchmarks-coreml.md")
    args = parser.parse_args()
    lines = []
    for network in args.networks:
        for tool in TOOLS:
            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder, "out")
                run = partial(convert, f"coreml_{tool}", sys.executable, network, target)
                found = repeated(lambda go=run, to=target: fresh(go, to), args.runs)
                failed = [f for f in found if isinstance(f, str)]
                if failed:
                    print(f"{network} {tool}: failed: {failed[0]}", flush=True)
                    continue
                package = next(target.glob("*.mlpackage"))
                imports, inside, whole, peak = (
                    statistics.median(column) for column in zip(*found, strict=True)
                )
                size = sum(f.stat().st_size for f in package.rglob("*") if f.is_file()) / 1e6
                lines.append(
                    f"| {network} | {tool} | {imports:.2f} | {inside:.2f} | {whole:.2f} | {peak:.0f} "
                    f"| {size:.1f} | {ops_of(package)} | {error_of(network, package):.1e} |"
                )
                print(lines[-1], flush=True)
    if args.page:
        machine = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
        args.page.write_text(PAGE.format(machine=machine, runs=args.runs) + "\n".join(lines) + "\n")
    return 0


def fresh(run: partial, target: Path) -> tuple[float, float, float, float] | str:
    """Runs a conversion into a folder of its own."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return run()


def ops_of(package: Path) -> int:
    """Counts the ops of a package's program."""
    from edgekit.lowering.coreml.reader import program_ops

    return sum(1 for _ in program_ops(next(package.rglob("*.mlmodel")).read_bytes()))


def error_of(network: str, package: Path) -> float:
    """Returns the largest difference from PyTorch, relative to the range of its output."""
    from edgekit.runners import runner_for

    module, inputs = make(network)
    want = module(*inputs).detach().numpy()
    with runner_for("coreml", isolate=False) as runner:
        port = runner.ports(package).inputs[0]
        (got,) = runner.run(package, {port.name: inputs[0].numpy().astype(port.dtype)}).values()
    return float(np.abs(got.astype(np.float64) - want).max() / np.ptp(want))


if __name__ == "__main__":
    sys.exit(main())
