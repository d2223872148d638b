"""How often a planted fault is named: single and double faults, faults outside the library, healthy devices.

    python benchmarks/bench_diagnosis.py [--cases N] [--seed S] [--images FOLDER]

Pictures are scikit-learn's two photographs, cut at random, or those of a folder. Steps, parameters and noise
are drawn from the seed, so that another seed is a held-out set. Times are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: many small products, threads only cost

import numpy as np

from edgekit.consistency.diagnose import Case, Fault, Verdict, diagnose, families
from edgekit.pipeline import Array, Unfit, parse_contract, run_steps
from edgekit.pipeline.contract import Step

Steps = tuple[Step, ...]
SIZES = (64, 96, 128, 224)
NORMALISE = (
    "normalise: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}",
    "normalise: {scale: 0.00784313725490196, mean: [1.0]}",
    "normalise",
)
FITS = (
    "  - resize: {{size: [{0}, {0}], library: {1}, kernel: {2}}}\n",
    "  - resize: {{size: [{0}, {0}], library: {1}, kernel: {2}, fit: shorter}}\n"
    "  - crop: {{size: [{0}, {0}]}}\n",
    "  - letterbox: {{size: [{0}, {0}], library: {1}, kernel: {2}}}\n",
)
RESIZES = (("pillow", "bilinear"), ("pillow", "bicubic"), ("opencv", "bilinear"), ("tensorflow", "bilinear"))


@dataclass
class Tally:
    """Counts of one kind of case."""

    counts: Counter[str]
    seconds: list[float]
    wrong: list[tuple[list[str], list[str]]]


def photographs(folder: Path | None) -> list[Array]:
    """Returns pictures of shape [height, width, 3], uint8."""
    if folder is None:
        from sklearn.datasets import load_sample_images

        return list(load_sample_images().images)
    from PIL import Image

    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [np.asarray(Image.open(p).convert("RGB")) for p in files]


def cut(picture: Array, rng: np.random.Generator) -> Array:
    height, width = (int(rng.integers(min(140, n - 1), n)) for n in picture.shape[:2])
    top, left = (
        int(rng.integers(0, n - m + 1)) for n, m in zip(picture.shape, (height, width), strict=False)
    )
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def contract(rng: np.random.Generator) -> Steps:
    library, kernel = RESIZES[rng.integers(len(RESIZES))]
    text = "schema: 1\nstages:\n" + FITS[rng.integers(len(FITS))].format(rng.choice(SIZES), library, kernel)
    text += f"  - {NORMALISE[rng.integers(len(NORMALISE))]}\n"
    text += f"  - layout: {{order: {rng.choice(('nchw', 'nhwc'))}}}\n"
    if rng.random() < 0.5:
        dtype, zero = (("int8", -14), ("uint8", 114))[rng.integers(2)]
        text += f"  - quantise: {{scale: 0.0186, zero_point: {zero}, dtype: {dtype}}}\n"
    return parse_contract(text).steps


def result(steps: Steps, value: Array) -> Array:
    return list(run_steps(steps, value).values())[-1]


def all_results(steps: Steps, inputs: list[Array]) -> list[Array] | None:
    try:
        return [result(steps, x) for x in inputs]
    except Unfit:
        return None


def plant(steps: Steps, count: int, rng: np.random.Generator) -> tuple[list[Fault], Steps]:
    faults: list[Fault] = []
    entries = list(families().values())
    while len(faults) < count:
        entry = entries[rng.integers(len(entries))]
        choices = list(entry.faults(steps))
        if choices and entry.name not in {f.family for f in faults}:
            faults.append(choices[rng.integers(len(choices))])
            steps = faults[-1].steps
    return faults, steps


def noisy(values: Array, rng: np.random.Generator) -> Array:
    """Rounding of another kind: one code for one element in ten, float16 for half of the float tensors."""
    if values.dtype.kind == "f":
        return values.astype(np.float16).astype(np.float32) if rng.random() < 0.5 else values
    limits = np.iinfo(values.dtype)
    jitter = rng.integers(-1, 2, values.shape) * (rng.random(values.shape) < 0.1)
    return np.clip(values.astype(np.int64) + jitter, limits.min, limits.max).astype(values.dtype)


def gamma(x: Array, rng: np.random.Generator) -> Array:
    return (255 * (x / 255) ** rng.uniform(0.6, 0.9)).astype(np.uint8)


def vignette(x: Array, rng: np.random.Generator) -> Array:
    y, z = (np.linspace(-1, 1, n) for n in x.shape[:2])
    return (x * (1 - rng.uniform(0.2, 0.6) * (y[:, None] ** 2 + z**2) / 2)[..., None]).astype(np.uint8)


def occluded(x: Array, rng: np.random.Generator) -> Array:
    y = x.copy()
    y[: x.shape[0] // 3, : x.shape[1] // 2] = rng.integers(0, 255)
    return y


def sensor_noise(x: Array, rng: np.random.Generator) -> Array:
    return np.clip(x + rng.normal(0, rng.uniform(12, 30), x.shape), 0, 255).astype(np.uint8)


def saturated(x: Array, rng: np.random.Generator) -> Array:
    return np.clip(x.astype(float) * rng.uniform(1.3, 2.0), 0, 255).astype(np.uint8)


OUTSIDE: tuple[Callable[[Array, np.random.Generator], Array], ...] = (
    gamma, vignette, occluded, sensor_noise, saturated,
)  # fmt: skip


def judge(tally: Tally, case: Case, truth: list[str]) -> None:
    begin = time.process_time()
    found = diagnose(case)
    tally.seconds.append(time.process_time() - begin)
    told = [sorted(f.what for f in faults) for faults in (found.faults, *found.rivals)]
    if found.verdict is Verdict.CONFIRMED:
        tally.counts["right" if told[0] == sorted(truth) else "wrong"] += 1
        if told[0] != sorted(truth):
            tally.wrong.append((truth, told[0]))
    elif found.verdict is Verdict.CLASS:
        tally.counts["in class" if sorted(truth) in told else "wrong class"] += 1
    else:
        tally.counts[found.verdict.value] += 1


def fewer_suffice(steps: Steps, faults: list[Fault], device: list[Array], inputs: list[Array]) -> bool:
    """Tells whether the device can be had with fewer of the faults: then nobody could name them all."""
    if len(faults) == 1:
        same = all_results(steps, inputs)
        return same is not None and all(map(np.array_equal, same, device))
    for fault in faults:
        alone = (f for f in families()[fault.family].faults(steps) if f.what == fault.what)
        for one in alone:
            same = all_results(one.steps, inputs)
            if same is not None and all(map(np.array_equal, same, device)):
                return True
    return False


def run(kind: str, cases: int, pictures: list[Array], rng: np.random.Generator) -> Tally:
    tally = Tally(Counter(), [], [])
    while sum(tally.counts.values()) < cases:
        steps = contract(rng)
        inputs = [cut(pictures[rng.integers(len(pictures))], rng) for _ in range(3)]
        if kind in ("single", "double"):
            faults, wrong = plant(steps, 1 + (kind == "double"), rng)
            device = all_results(wrong, inputs)
            if device is None or fewer_suffice(steps, faults, device, inputs):
                continue
            truth = [f.what for f in faults]
        else:
            spoil = OUTSIDE[rng.integers(len(OUTSIDE))] if kind == "outside" else lambda x, _: x
            device, truth = all_results(steps, [spoil(x, rng) for x in inputs]), []
        if device is not None:
            judge(tally, Case(steps, tuple(inputs), tuple(noisy(d, rng) for d in device)), truth)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=Path)
    given = parser.parse_args()
    pictures = photographs(given.images)
    print("| faults | cases | right | in a class | confidently wrong | other | median s | most s |")
    print("|---|---|---|---|---|---|---|---|")
    missed = []
    for kind in ("single", "double", "outside", "healthy"):
        tally = run(kind, given.cases, pictures, np.random.default_rng(given.seed))
        c = tally.counts
        right = {"outside": "unexplained", "healthy": "agree"}.get(kind, "right")
        other = sum(n for k, n in c.items() if k not in (right, "in class", "wrong"))
        times = f"{np.median(tally.seconds):.2f} | {max(tally.seconds):.2f}"
        print(
            f"| {kind} | {given.cases} | {c[right]} | {c['in class']} | {c['wrong']} | {other} | {times} |",
            flush=True,
        )
        missed += tally.wrong
    for truth, told in missed:
        print(f"\nplanted: {' and '.join(truth) or 'nothing'}\ntold:    {' and '.join(told)}")


if __name__ == "__main__":
    main()
