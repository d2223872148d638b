"""Another range of numbers: scale, mean or standard deviation left out, swapped or those of another model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.consistency.diagnose.fault import Aspect, Made, Steps, family, places, replaced
from edgekit.pipeline import Step
from edgekit.pipeline.stages import Normalise

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""Mean and standard deviation of RGB in 0 to 1, as published with torchvision's models and with CLIP."""

PRESETS = {
    "not normalised (0 to 255)": Normalise(1.0),
    "scaled to 0 to 1": Normalise(1 / 255),
    "scaled to -1 to 1": Normalise(1 / 127.5, (1.0,)),
    "scaled by 1/256": Normalise(1 / 256),
    "shifted to -128 to 127": Normalise(1.0, (128.0,)),
    "scaled by 1/128 and shifted by 1": Normalise(1 / 128, (1.0,)),
    "normalised with the mean and std of ImageNet": Normalise(1 / 255, *IMAGENET),
    "normalised with the mean and std of CLIP": Normalise(1 / 255, *CLIP),
    "normalised with the mean of Caffe": Normalise(1.0, (123.68, 116.779, 103.939)),
}
_COLOUR_ONLY = 3


@family("normalisation", Aspect.NUMBERS)
def normalisation(steps: Steps) -> Iterator[Made]:
    """Pixels become numbers in another way."""
    for index, step in places(steps, Normalise):
        stage = step.stage
        assert isinstance(stage, Normalise)
        seen = {_canonical(stage)}
        for what, other in _others(stage):
            if _canonical(other) in seen:
                continue
            seen.add(_canonical(other))
            yield what, _fix(stage), replaced(steps, index, Step(step.name, other))


def _others(stage: Normalise) -> Iterator[tuple[str, Normalise]]:
    plain = replace(stage, mean=(0.0,), std=(1.0,))
    yield "mean and std are skipped", plain
    yield "the mean is skipped", replace(stage, mean=(0.0,))
    yield "the std is skipped", replace(stage, std=(1.0,))
    yield "the scale is skipped", replace(stage, scale=1.0)
    yield "the scale is applied twice", replace(stage, scale=stage.scale**2)
    if len(stage.mean) > 1 or len(stage.std) > 1:
        swapped = replace(stage, mean=stage.mean[::-1], std=stage.std[::-1])
        yield "mean and std are in the reverse order of channels", swapped
    for what, preset in PRESETS.items():
        yield f"pixels are {what}", preset


def _canonical(stage: Normalise) -> tuple[float, ...]:
    """Returns gain and offset of up to three channels: two spellings of the same are one."""
    size = max(len(stage.mean), len(stage.std))
    means, stds = (n * size if len(n) == 1 else n for n in (stage.mean, stage.std))
    pairs = [(stage.scale / s, -m / s) for m, s in zip(means, stds, strict=False)]
    pairs = pairs * _COLOUR_ONLY if len(pairs) == 1 else pairs
    return tuple(float(f"{x:.9g}") for pair in pairs for x in pair)


def _fix(stage: Normalise) -> str:
    mean, std = ([float(f"{x:.6g}") for x in n] for n in (stage.mean, stage.std))
    return f"compute (pixel * {stage.scale:.6g} - {mean}) / {std}"
