"""Faults are named, confirmed by injection, and never made up."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.consistency.diagnose import Case, Fault, Verdict, diagnose, families
from edgekit.pipeline import Array, Step, parse_contract, run_steps

FLOAT = """
schema: 1
stages:
  - resize: {size: [64, 64]}
  - normalise: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
  - layout
"""
INT8 = FLOAT + "  - quantise: {scale: 0.0186, zero_point: -14}\n"
OUTPUT = """
schema: 1
stages:
  - dequantise: {scale: 0.15, zero_point: 12}
  - softmax
"""


def images(count: int, seed: int = 0) -> tuple[Array, ...]:
    """Returns pictures of coloured patches with texture: every family changes them."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        height, width = 150 + 17 * index, 190 - 11 * index
        patches = rng.uniform(20, 235, (9, 11, 3))
        smooth = np.kron(patches, np.ones((height // 9 + 1, width // 11 + 1, 1)))[:height, :width]
        texture = rng.normal(0, 14, (height, width, 1)) + rng.normal(0, 6, (height, width, 3))
        made.append(np.clip(smooth + texture, 0, 255).astype(np.uint8))
    return tuple(made)


def result(steps: tuple[Step, ...], value: Array) -> Array:
    return list(run_steps(steps, value).values())[-1]


def case(text: str, steps: tuple[Step, ...], inputs: tuple[Array, ...]) -> Case:
    return Case(parse_contract(text).steps, inputs, tuple(result(steps, x) for x in inputs))


def all_faults(text: str) -> list[Fault]:
    steps = parse_contract(text).steps
    return [f for entry in families().values() for f in entry.faults(steps)]


def told(text: str, faults: list[Fault], inputs: tuple[Array, ...]) -> None:
    """Injects each fault alone and asks for its name."""
    steps = parse_contract(text).steps
    healthy = [result(steps, x) for x in inputs]
    wrong, named, shown = [], 0, 0
    for fault in faults:
        device = [result(fault.steps, x) for x in inputs]
        if all(np.array_equal(a, b) for a, b in zip(device, healthy, strict=True)):
            continue
        found = diagnose(Case(steps, inputs, tuple(device)))
        if found.verdict is Verdict.AGREE:  # another rounding of the same resize
            assert found.before < 0.5, fault.what
            continue
        shown += 1
        names = [found.faults, *found.rivals]
        named += any([f.what for f in n] == [fault.what] for n in names)
        if found.verdict is Verdict.CONFIRMED and [f.what for f in found.faults] != [fault.what]:
            wrong.append((fault.what, [f.what for f in found.faults]))
    assert shown > 0
    assert not wrong
    assert named == shown


@pytest.mark.parametrize(("text", "part"), [(FLOAT, 3), (INT8, 7)], ids=["float", "int8"])
def test_faults_of_an_image_are_named(text: str, part: int) -> None:
    told(text, all_faults(text)[part::11], images(2))


@pytest.mark.nightly
@pytest.mark.parametrize("text", [FLOAT, INT8], ids=["float", "int8"])
def test_each_fault_of_an_image_is_named(text: str) -> None:
    told(text, all_faults(text), images(2))


def test_each_fault_of_an_output_is_named() -> None:
    rng = np.random.default_rng(3)
    codes = tuple(rng.integers(-128, 128, (1, 10)).astype(np.int8) for _ in range(4))
    told(OUTPUT, all_faults(OUTPUT), codes)


def test_two_faults_are_named_together() -> None:
    steps = parse_contract(INT8).steps
    first = next(f for f in families()["channel-order"].faults(steps) if "BGR" in f.what)
    second = next(f for f in families()["normalisation"].faults(first.steps) if "skipped" in f.what)
    found = diagnose(case(INT8, second.steps, images(2)))
    assert found.verdict is Verdict.CONFIRMED
    assert {f.what for f in found.faults} == {first.what, second.what}
    assert found.explained > 0.999


def test_a_healthy_device_is_left_alone() -> None:
    steps = parse_contract(INT8).steps
    found = diagnose(case(INT8, steps, images(2)))
    assert found.verdict is Verdict.AGREE
    assert found.before == 0


def test_rounding_is_no_fault() -> None:
    steps = parse_contract(INT8).steps
    inputs = images(2)
    rng = np.random.default_rng(0)
    device = []
    for x in inputs:
        codes = result(steps, x)
        jitter = rng.integers(-1, 2, codes.shape)
        device.append(np.clip(codes + jitter, -128, 127).astype(np.int8))
    assert diagnose(Case(steps, inputs, tuple(device))).verdict is Verdict.AGREE


def gamma(x: Array) -> Array:
    return (255 * (x / 255) ** 0.8).astype(np.uint8)


def blurred(x: Array) -> Array:
    y = x.astype(float)
    return np.round((y + np.roll(y, 1, 0) + np.roll(y, 1, 1) + np.roll(y, (1, 1), (0, 1))) / 4).astype(
        np.uint8
    )


def masked(x: Array) -> Array:
    y = x.copy()
    y[: len(y) // 3] = 0
    return y


def noisy(x: Array) -> Array:
    return np.clip(x + np.random.default_rng(1).normal(0, 25, x.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("spoil", [gamma, blurred, masked, noisy])
@pytest.mark.parametrize("text", [FLOAT, INT8], ids=["float", "int8"])
def test_what_is_not_in_the_library_stays_unexplained(text: str, spoil) -> None:  # type: ignore[no-untyped-def]
    steps = parse_contract(text).steps
    inputs = images(2)
    device = tuple(result(steps, spoil(x)) for x in inputs)
    assert diagnose(Case(steps, inputs, device)).verdict is Verdict.UNEXPLAINED


def test_not_a_number_is_never_explained() -> None:
    steps = parse_contract(FLOAT).steps
    inputs = images(2)
    device = [result(steps, x) for x in inputs]
    device[0][0, 0, :8] = np.nan
    assert diagnose(Case(steps, inputs, tuple(device))).verdict is Verdict.UNEXPLAINED


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("sample-misalignment", (3, 0, 1, 2)),
        ("sample-misalignment", (1, 2, 3, 0)),
        ("stale-buffer", (0, 0, 0, 0)),
    ],
)
def test_faults_between_samples(name: str, order: tuple[int, ...]) -> None:
    steps = parse_contract(INT8).steps
    inputs = images(4)
    given = [result(steps, x) for x in inputs]
    found = diagnose(Case(steps, inputs, tuple(given[i] for i in order)))
    assert [f.family for f in found.faults] == [name]


def test_a_buffer_that_nobody_wrote() -> None:
    steps = parse_contract(INT8).steps
    inputs = images(3)
    device = tuple(np.zeros((1, 3, 64, 64), np.int8) for _ in inputs)
    assert [f.family for f in diagnose(Case(steps, inputs, device)).faults] == ["unwritten-buffer"]


def test_equal_explanations_are_a_class() -> None:
    """On square images a stretch and a letterbox are the same: neither may be named alone."""
    square = tuple(x[:150, :150] for x in images(2))
    text = FLOAT.replace("resize: {size: [64, 64]}", "letterbox: {size: [64, 64], library: pillow}")
    steps = parse_contract(text).steps
    turned = next(f for f in families()["orientation"].faults(steps) if "rotate-180" in f.what)
    found = diagnose(case(text, turned.steps, square))
    assert [f.what for f in found.faults] == [turned.what]


def test_a_case_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="without samples"):
        diagnose(Case(parse_contract(FLOAT).steps, (), ()))
