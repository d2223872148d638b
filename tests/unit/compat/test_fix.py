"""Rewrites: each changes the verdict of a real target, and what it claims is held by running both models."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir
import pytest

from edgekit.compat import target
from edgekit.compat.advice import Claim, advice
from edgekit.compat.candidate import Candidate
from edgekit.compat.check import check
from edgekit.compat.fix import Fixed, fix
from edgekit.compat.targets import cpus_of
from edgekit.consistency.proof import ROUNDING, prove
from edgekit.diagnostics import EdgekitError
from edgekit.importers import load
from edgekit.passes.edit import Maker
from tests.unit.compat.advice_models import MODELS, TARGETS
from tests.unit.compat.conftest import FOLDER, network

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "models"


def fixed_for(source: object, id_: str, only: str | None = None) -> Fixed:
    chosen = target(id_)
    return fix(Candidate.of_model(load(source)), chosen, cpus_of([chosen]), only)


def runs_fully(found: Fixed) -> bool:
    chosen = found.before.target
    return check(found.candidate, [chosen], cpus_of([chosen])).results[0].full


def test_every_rewrite_has_a_model_and_a_target() -> None:
    assert set(advice()) == set(MODELS) == set(TARGETS)


@pytest.mark.parametrize("name", MODELS)
def test_a_rewrite_changes_the_verdict_and_holds_its_claim(name: str) -> None:
    found = fixed_for(MODELS[name], TARGETS[name], name)
    assert not found.before.full
    assert [one.advice.name for one in found.applied] == [name]
    assert runs_fully(found)
    (proof,) = prove(found)
    assert proof.holds
    assert proof.random > 0
    if proof.applied.advice.claim is Claim.EXACT:
        assert proof.error == 0
    elif proof.applied.advice.claim is Claim.ROUNDING:
        assert proof.error <= ROUNDING
    else:
        assert proof.error > ROUNDING  # else it should claim more
        assert proof.applied.advice.training


@pytest.mark.parametrize(
    ("model", "id_"),
    [
        ("mobile_se_torch", "nnapi"),
        ("digits_cnn_keras", "rk3588"),
        ("digits_cnn_torch", "rk3588"),
        ("detector_torch", "android-cpu"),
    ],
)
def test_golden_models_come_onto_the_accelerator(model: str, id_: str) -> None:
    found = fixed_for(GOLDEN / model / "model.onnx", id_)
    assert not found.before.full
    assert runs_fully(found)
    proofs = prove(found)
    assert all(proof.holds and proof.golden > 0 for proof in proofs)


@pytest.mark.corpus
@pytest.mark.parametrize("model", ["samplenet_omz/samplenet.onnx", "ort_inference_examples/mnist.onnx"])
def test_models_of_others_come_onto_the_accelerator(corpus: Path, model: str) -> None:
    found = fixed_for(corpus / model, "rk3588")
    assert not found.before.full
    assert runs_fully(found)
    assert all(proof.holds for proof in prove(found))


def test_a_wrong_rewrite_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(model: ir.Model, nodes: object) -> int:
        node = next(n for n in model.graph if n.op_type == "Flatten")
        maker = Maker(node)
        maker.replace(maker.op("Reshape", maker.op("Add", *[node.inputs[0]] * 2), maker.ints([1, 256])))
        return 1

    real = advice()["relabel-to-reshape"]
    wrong = type(real)(real.name, real.what, real.claim, "", doubled)
    monkeypatch.setattr("edgekit.compat.fix.advice", lambda: {real.name: wrong})
    found = fixed_for(MODELS["relabel-to-reshape"], "rk3588")
    (proof,) = prove(found)
    assert not proof.holds
    assert proof.error > 0.1


def test_what_does_not_help_is_not_kept() -> None:
    chosen = target("tiny-npu", [FOLDER])
    found = fix(Candidate.of_model(load(network(stride=3))), chosen, cpus_of([chosen], [FOLDER]))
    assert found.applied == ()
    assert found.model is found.start
    assert prove(found) == ()


def test_an_unknown_rewrite_names_those_there_are() -> None:
    with pytest.raises(EdgekitError, match="EK204"):
        fixed_for(network(), "rk3588", "no-such")
