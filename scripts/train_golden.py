# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#     "keras==3.15.1",
#     "numpy==2.4.6",
#     "onnx==1.23.2",
#     "onnxruntime==1.32.0",
#     "onnxscript==0.7.2",
#     "ruamel.yaml",
#     "safetensors",
#     "scikit-image==0.26.0",
#     "scikit-learn==1.9.1",
#     "tensorflow==2.21.0",
#     "tf2onnx==1.17.0",
#     "torch==2.13.0",
# ]
# ///
"""Train the golden models and write them, with samples and cards, under golden/models.

Without arguments all of them; with ids, those. `--check` retrains in a temporary folder and
compares with what ships. golden/README.md has the commands.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

# Before TensorFlow is imported: quiet, and the CPU's own kernels rather than oneDNN's, whose
# sums depend on the number of threads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Before PyTorch is: threads that wait in earnest. Spinning ones stall each other on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from golden.packaging import ACCURACY_TOLERANCE, SAMPLES_FILE, package
from golden.recipes import RECIPES
from golden.spec import Recipe
from ruamel.yaml import YAML

MODELS = Path(__file__).resolve().parents[1] / "golden" / "models"


def main() -> int:
    """Run the recipes; exit 1 when `--check` finds an accuracy out of tolerance."""
    known = [recipe.id for recipe in RECIPES]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"models: {', '.join(known)}")
    parser.add_argument("--output", type=Path, default=MODELS, help="folder of the models")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; compare with the shipped accuracies"
    )
    options = parser.parse_args()
    if unknown := set(options.ids) - set(known):
        parser.error(f"no such model: {', '.join(sorted(unknown))}")
    chosen = [recipe for recipe in RECIPES if not options.ids or recipe.id in options.ids]
    if options.check:
        held = [_check(recipe) for recipe in chosen]
        return 0 if all(held) else 1
    for recipe in chosen:
        _make(recipe, options.output)
    return 0


def _make(recipe: Recipe, models: Path) -> float:
    """Train one model into its folder; returns its accuracy."""
    started = time.monotonic()
    data = recipe.data(recipe.seed)
    folder = models / recipe.id
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / recipe.id
        made.mkdir()
        recipe.train(recipe, data, made)
        accuracy = package(recipe, data, made)
        # Replaced as a whole, and only now: no stale file stays, no failed run costs a model.
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(made, folder)
    size = (folder / "model.onnx").stat().st_size
    seconds = time.monotonic() - started
    print(f"{recipe.id:18} {recipe.metric.name} {accuracy:.4f}  {size / 1000:.0f} kB ONNX  {seconds:.0f} s")
    return accuracy


def _check(recipe: Recipe) -> bool:
    """Retrain one model in a temporary folder; is its accuracy near the shipped card's?"""
    with tempfile.TemporaryDirectory() as scratch:
        accuracy = _make(recipe, Path(scratch))
        made = (Path(scratch) / recipe.id / SAMPLES_FILE).read_bytes()
    shipped = MODELS / recipe.id
    card = YAML(typ="safe").load(shipped / "card.yaml")
    holds = abs(accuracy - float(card["accuracy"]["value"])) <= ACCURACY_TOLERANCE
    same = "identical" if made == (shipped / SAMPLES_FILE).read_bytes() else "different"
    print(
        f"{'':18} shipped {card['accuracy']['value']:.4f}: "
        f"{'holds' if holds else 'OUT OF TOLERANCE'}, sample outputs {same}"
    )
    return holds


if __name__ == "__main__":
    sys.exit(main())
