"""Run every layer of int8 networks alone against the QDQ model, and write docs/integer-layers.md.

The golden CNNs are quantised here; the networks of the optional corpus arrive quantised. Exits 1 if a layer
differs by more than rounding.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit import api
from edgekit.artifact import LayerDelta, Verification

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
PAGE = ROOT / "docs" / "integer-layers.md"
GOLDEN = ("digits_cnn_torch", "digits_cnn_keras", "mobile_se_torch", "detector_torch")
ARRIVED = (
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mlperf_tiny/vww_96_int8.tflite",
    "mlperf_tiny/ad01_int8.tflite",
    "mlperf_tiny/str_ww_ref_model.tflite",
    "tflite_micro/micro_speech_quantized.tflite",
    "tflite_micro/person_detect.tflite",
    "tflite_micro/hello_world_int8.tflite",
    "tinyengine/vww.tflite",
    "tinyengine/detection.tflite",
    "tinyengine/mcunetv2_large.tflite",
    "tinyengine/ptq_mnist_lenet-300-100.tflite",
    "mlperf_tiny_v1_3_onnx/deep_autoencoder.onnx",
    "mlperf_tiny_v1_3_onnx/resnet.onnx",
)
HEAD = """# Integer layers against the QDQ model

Written by `scripts/layer_table.py`. Every layer of each network runs alone in LiteRT (default kernels,
XNNPACK), all of them on the integers that the QDQ model has at their inputs in ONNX Runtime, so that no
error is passed on. *1 off* and *more* count elements that are one step off and further; *worst layer* is
the layer with the smallest share of elements within one step; *from real* is how far the farthest differing
element lies from the real that the QDQ model rounds, in steps: 0.5 is a half that was rounded to the other
side. A *rule* is a documented way to round of the kernel, computed anew from the integers at the input;
*by rule* counts the differing elements that it gives exactly.

| network | op | layers | elements | 1 off | more | worst layer within 1 | from real | by rule | rule |
|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Network:
    """A network and what its verification found."""

    name: str
    verification: Verification


def networks(corpus: Path, only: str) -> Iterator[Network]:
    """Converts and verifies the networks, golden samples or generated ones at their inputs."""
    for name in GOLDEN:
        if only in name:
            artifact = api.quantize(ROOT / "golden" / "models" / name / "model.onnx")
            assert artifact.verification is not None
            yield Network(name, artifact.verification)
    for file in ARRIVED if corpus.is_dir() else ():
        if only in file:
            artifact = api.convert(corpus / file)
            assert artifact.verification is not None
            yield Network(file, artifact.verification)


def rows(network: Network) -> Iterator[str]:
    """Returns one row of the table for each kind of layer."""
    groups: dict[str, list[LayerDelta]] = {}
    for layer in network.verification.layers:
        groups.setdefault(layer.op, []).append(layer)
    for op, group in groups.items():
        yield _row(network.name, op, group)


def _row(name: str, op: str, group: list[LayerDelta]) -> str:
    elements, one, more = (sum(getattr(g, k) for g in group) for k in ("elements", "one", "more"))
    worst = min(1 - g.more / max(1, g.elements) for g in group)
    farthest = max((g.farthest for g in group if g.farthest is not None), default=None)
    rules = "; ".join(dict.fromkeys(g.rule for g in group if g.rule is not None))
    predicted = sum(g.predicted for g in group) if rules else ""
    far = "" if farthest is None else f"{farthest:.3f}"
    cells = (name, op, len(group), elements, one, more, f"{worst:.2%}", far, predicted, rules)
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of the models")
    parser.add_argument("--output", type=Path, default=PAGE, help="page to write")
    parser.add_argument("--only", metavar="TEXT", default="", help="print networks with TEXT in their name")
    options = parser.parse_args()
    lines, failed = [], []
    for network in networks(options.corpus, options.only):
        found = list(rows(network))
        lines += found
        failed += [f"{network.name}: {g.tensor}" for g in network.verification.layers if not g.holds]
        print("\n".join(found), flush=True)
    if not options.only:
        end = (
            "No layer differs by more than rounding." if not failed else "Differ: " + ", ".join(failed) + "."
        )
        options.output.write_text(HEAD + "\n".join(lines) + f"\n\n{end}.\n")
    return 1 if failed or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
