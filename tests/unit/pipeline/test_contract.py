"""A contract is read whole: every mistake at its line, and nothing is run from it."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.pipeline import Unfit, kinds, parse_contract, run_steps

CONTRACT = """
schema: 1
stages:
  - resize: {size: [64, 48], kernel: bicubic}
  - colour: {order: bgr}
  - normalise: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
  - layout
  - model
  - softmax
"""


def test_steps_run_in_order() -> None:
    contract = parse_contract(CONTRACT)
    assert [s.name for s in contract.before] == ["resize", "colour", "normalise", "layout"]
    assert [s.name for s in contract.after] == ["softmax"]
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    values = run_steps(contract.before, image)
    assert values["layout"].shape == (1, 3, 64, 48)
    assert np.array_equal(values["colour"], values["resize"][..., ::-1])
    by_hand = (values["colour"] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.allclose(values["normalise"], by_hand, atol=1e-6)


def test_the_hash_is_of_what_it_says() -> None:
    spelled = CONTRACT.replace("  - layout", "  - layout: {order: nchw}  # as the model takes it")
    assert parse_contract(spelled).sha256() == parse_contract(CONTRACT).sha256()
    assert parse_contract(CONTRACT.replace("bgr", "rgb")).sha256() != parse_contract(CONTRACT).sha256()


MISTAKES = {
    "schema: 2": ("`schema` must be 1", 2),
    "stages: {}": ("must be a list", 3),
    "stages: []": ("must be a list", 3),
    "stages:\n  - resise: {size: [4, 4]}": ("there is no stage `resise`", 4),
    "stages:\n  - resize: {size: [4, 4], kernl: box}": ("no parameter `kernl`", 4),
    "stages:\n  - resize: {size: [4, x]}": ("`size` of `resize`", 4),
    "stages:\n  - resize": ("needs the parameter `size`", 4),
    "stages:\n  - resize: {size: [4, 4], kernel: sinc}": ("has no kernel `sinc`", 4),
    "stages:\n  - resize: {size: [0, 4]}": ("is not positive", 4),
    "stages:\n  - normalise: {std: [0]}": ("a `std` of 0", 4),
    "stages:\n  - quantise: {scale: -1}": ("is not positive", 4),
    "stages:\n  - quantise: {scale: nan}": ("`scale` of `quantise`", 4),
    "stages:\n  - softmax\n  - softmax": ("two steps are called `softmax`", 5),
    "stages:\n  - model: {x: 1}": ("`model` has no parameter", 4),
    "stages:\n  - 5": ("a stage is its kind", 4),
    "stages:\n  - layout: 5": ("must be a mapping", 4),
}


@pytest.mark.parametrize("text", sorted(MISTAKES))
def test_a_mistake_is_found_at_its_line(text: str) -> None:
    message, line = MISTAKES[text]
    whole = f"\n{text}" if text.startswith("schema") else f"\nschema: 1\n{text}"
    with pytest.raises(EdgekitError) as raised:
        parse_contract(whole)
    found = [d for d in raised.value.diagnostics if message in d.message]
    assert found, [d.message for d in raised.value.diagnostics]
    assert found[0].code == "EK211"
    assert found[0].where.line == line


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(EdgekitError) as raised:
        parse_contract("schema: 3\nstages:\n  - resise\n  - quantise\n  - layout: {order: chw}\n")
    assert len(raised.value.diagnostics) == 4


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_a_stage_refuses_what_it_is_not_defined_on(kind: str) -> None:
    given = {"resize": {"size": (4, 4)}, "crop": {"size": (4, 4)}, "letterbox": {"size": (4, 4)},
             "quantise": {"scale": 0.1}, "dequantise": {"scale": 0.1}}  # fmt: skip
    stage = kinds()[kind](**given.get(kind, {}))
    if kind in ("quantise", "dequantise", "softmax", "sigmoid", "normalise"):
        assert stage.apply(np.ones((2, 3), np.float32)).shape == (2, 3)  # defined on any shape
        return
    with pytest.raises(Unfit):
        stage.apply(np.ones((2, 3), np.float32))


def test_an_unfit_step_is_named() -> None:
    contract = parse_contract("schema: 1\nstages:\n  - crop: {size: [9, 9], name: middle}\n")
    with pytest.raises(Unfit, match="middle"):
        run_steps(contract.steps, np.zeros((4, 4, 3), np.uint8))
