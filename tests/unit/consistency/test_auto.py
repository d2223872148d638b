"""Search within a budget, on a network that plain int8 ruins; ranking of layers; labels; accuracy."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from edgekit import api
from edgekit.consistency.accuracy import Form, accuracies, drop_of
from edgekit.consistency.auto import Wanted, tune
from edgekit.consistency.budget import Account
from edgekit.consistency.labelled import labelled_samples
from edgekit.consistency.post_training import Wish
from edgekit.consistency.sensitivity import rank
from edgekit.consistency.trial import Bench, Choice, Data
from edgekit.diagnostics import EdgekitError
from edgekit.passes.pipeline import prepare
from edgekit.quantize import Plan
from edgekit.runners.execute import ArtifactRunner

_FILE = Path(__file__).parents[1] / "quantize" / "wide_range.py"
_SPEC = importlib.util.spec_from_file_location("wide_range", _FILE)
wide_range = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(wide_range)
IMAGES, LABELS = wide_range.digits()


def quantise(**options):
    model = wide_range.wide_network(11)
    given = {"calibrate": {"image": IMAGES[:16]}, "evaluate": {"image": IMAGES, "labels": LABELS}}
    return api.quantize(model, **given, **options)


def task(artifact):
    return {row["form"]: row["task"] for row in artifact.recipe["quantization"]["accuracy"]}


START = Choice(Wish.of("tflite", "int8"))


@pytest.fixture(scope="module")
def forked():
    model = api.load(wide_range.wide_network(11, forked=True))
    samples = [{"image": IMAGES[i : i + 1]} for i in range(32)]
    data = Data(tuple(samples[:16]), tuple(samples), [LABELS[i : i + 1] for i in range(32)])
    return Bench(model, Plan.of(prepare(model).model), data)


def test_plain_int8_ruins_it_and_equalisation_recovers_it():
    plain = task(quantise(verify=False))
    assert plain["simulated"] < plain["float"] - 0.05
    artifact = quantise(auto=True, max_drop=0.01, require_full_integer=True)
    after = task(artifact)
    assert after["executed"] >= after["float"] - 0.01
    made = artifact.recipe["quantization"]
    assert made["equalised"]
    assert made["weights_kept"] == 0
    assert made["budget"]["holds"]


def test_the_costly_layers_are_found_in_few_runs(forked):
    layers = rank(forked, START, confirm=2)
    assert layers[0].node in ("node_Conv_37", "part")
    assert {"wide", "part", "node_Conv_37"} <= set(layers[0].keep)
    assert layers[0].drop is not None
    assert layers[0].drop < 0.1
    assert layers[-1].drop is None
    estimates = {layer.node: layer.estimate for layer in layers}
    assert estimates["part"] > 30 * estimates["node_linear"]
    assert forked.runs <= 5  # float, ranges, estimate, two that confirm


def test_a_budget_that_cannot_be_met_is_told_with_the_best_that_was_found(forked):
    found = tune(forked, START, Wanted(auto=True, max_drop=0.01, full_integer=True))
    assert found.holds is False
    assert not found.kept
    assert found.trial.drop == min(step.drop for step in found.steps)
    assert 0.05 < found.trial.drop < found.steps[0].drop
    account = Account(forked, found, Wanted(auto=True, max_drop=0.01, full_integer=True), ())
    assert [d.code for d in account.diagnostics()] == ["EK405"]


def test_where_equalisation_cannot_help_the_costly_layers_stay_in_float(forked):
    found = tune(forked, START, Wanted(auto=True, max_drop=0.01))
    assert found.holds
    assert {"wide", "part"} <= set(found.kept[0].keep)
    assert 0 < found.weights_kept < 0.5
    artifact = api.convert(found.trial.forms.lowered, verify=False)
    assert {d.code for d in artifact.diagnostics} == {"EK401"}  # each island is told
    with ArtifactRunner(artifact) as runner:
        right = [
            runner.run(s)["logits"].argmax(-1) == y for s, y in zip(forked.data.judge, LABELS, strict=True)
        ]
    assert np.mean(right) >= forked.plain[0].task - 0.01


def test_an_option_that_makes_it_worse_is_not_taken():
    samples = {"calibrate": {"image": IMAGES[:16]}, "evaluate": {"image": IMAGES, "labels": LABELS}}
    artifact = api.quantize(
        wide_range.FOLDER / "model.onnx", equalise=True, bias_correction=True, verify=False, **samples
    )
    steps = artifact.recipe["quantization"]["steps"]
    assert len(steps) == 3
    best = steps[0]
    for step in steps[1:]:
        better = (step["drop"], step["noise"]) < (best["drop"], best["noise"])
        assert step["taken"] == better
        best = step if better else best
    last = [row for row in artifact.recipe["quantization"]["accuracy"] if row["form"] == "simulated"]
    assert 10 ** (-last[0]["sqnr_db"] / 10) == pytest.approx(best["noise"])


def test_a_drop_is_of_labels_then_of_classes_then_of_noise():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(10, 1, 4)).astype(np.float32)
    other = scores.copy()
    other[0] = other[0][:, ::-1]  # another class at one of ten
    labels = [np.argmax(s, -1) for s in scores]
    plain = accuracies(Form.FLOAT, *[[{"y": s} for s in scores]] * 2, labels, {})
    rows = accuracies(
        Form.SIMULATED, [{"y": s} for s in scores], [{"y": s} for s in other], labels, {"y": 0.5}
    )
    assert plain[0].task == 1
    assert rows[0].task == pytest.approx(0.9)
    assert rows[0].max_lsb == pytest.approx(2 * np.abs(scores - other).max())
    assert drop_of(rows, plain, scores=False) == pytest.approx(0.1)
    unknown = [None] * 10
    plain = accuracies(Form.FLOAT, *[[{"y": s} for s in scores]] * 2, unknown, {})
    rows = accuracies(Form.SIMULATED, [{"y": s} for s in scores], [{"y": s} for s in other], unknown, {})
    assert rows[0].task is None
    assert drop_of(rows, plain, scores=True) == pytest.approx(0.1)
    noise = ((scores - other) ** 2).sum() / (scores**2).sum()
    assert drop_of(rows, plain, scores=False) == pytest.approx(noise, rel=1e-4)


def test_every_third_of_enough_samples_is_held_out():
    samples = [{"x": np.zeros(i)} for i in range(12)]
    data = Data.split(samples, list(range(12)))
    assert [len(s["x"]) for s in data.judge] == data.labels == [2, 5, 8, 11]
    assert len(data.fit) == 8
    assert data.is_held_out
    assert not Data.split(samples[:11], list(range(11))).is_held_out


@pytest.mark.parametrize("head", [True, False])
def test_a_table_holds_labels_and_inputs(tmp_path, head):
    model = api.load(wide_range.FOLDER / "model.onnx")
    rows = np.column_stack([LABELS[:5], IMAGES[:5].reshape(5, -1)])
    text = "\n".join(",".join(map(str, row)) for row in rows)
    names = ",".join(["digit", *(f"p{i}" for i in range(64))])
    path = tmp_path / "digits.csv"
    path.write_text(f"{names}\n{text}\n" if head else text)
    samples, labels = labelled_samples(model, path, "digit" if head else "0")
    held = {tuple(s["image"].reshape(-1)[:64]) for s in samples.arrays}
    assert len(held) == len(samples.arrays)
    by_image = {IMAGES[i].tobytes(): LABELS[i] for i in range(5)}
    for sample, known in zip(samples.arrays, labels, strict=True):
        assert [by_image[image.tobytes()] for image in sample["image"]] == list(known)
    with pytest.raises(EdgekitError) as caught:
        labelled_samples(model, path, "colour")
    assert caught.value.diagnostics[0].code == "EK505"
