"""Tables beside oracles, and artifacts that a target's compiler has compiled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgekit.artifact import Artifact, ArtifactFile, Source
from edgekit.compat import target
from edgekit.compat.agreement import Confusion, compare
from edgekit.compat.oneop import Draw, one_op
from edgekit.compat.vendor import compiled
from edgekit.diagnostics import EdgekitError, Severity
from edgekit.ir import Origin


def test_each_op_is_compared(fake: Any) -> None:
    model = one_op("RELU", Draw()).lowered()
    chip = target("ethos-u55-128")
    same, other = (compare(model, chip, fake(lambda op, w=why: w)) for why in ("", "no kernel"))
    assert [op.agrees for op in same.ops] == [True]
    assert same.differing == ()
    (op,) = other.differing
    assert (op.told.unit, op.unit, op.told.reason) == ("cpu", "npu", "no kernel")
    assert other.to_dict()["disagree"] == 1


def test_counts(fake: Any) -> None:
    chip, counted = target("ethos-u55-128"), Confusion()
    for why in ("", "", "", "no kernel"):
        counted.add(compare(one_op("RELU", Draw()).lowered(), chip, fake(lambda op, w=why: w)).ops)
    assert counted.counts == {("npu", "npu"): 3, ("cpu", "npu"): 1}
    assert counted.agreement == 0.75
    assert counted.overclaimed == 0.25


def test_an_oracle_of_another_chip(fake: Any) -> None:
    with pytest.raises(EdgekitError) as caught:
        compare(one_op("RELU", Draw()).lowered(), target("cortex-m55"), fake(lambda op: ""))
    assert caught.value.diagnostics[0].code == "EK205"


def artifact() -> Artifact:
    payload = one_op("RELU", Draw()).to_bytes()
    return Artifact(
        "tflite",
        (ArtifactFile.of("net.tflite", payload),),
        Source("net", "onnx"),
        (),
        (),
        (),
        (),
        origins={"y0": Origin(("relu_3",), file="net.py", line=7)},
    )


def test_what_the_compiler_made_is_packed(fake: Any) -> None:
    made = compiled(artifact(), target("ethos-u55-128"), fake(lambda op: ""))
    assert [f.name for f in made.files] == ["net.tflite", "net_vela.tflite", "net_vela.json"]
    assert made.files[1].read() == b"compiled"
    assert made.recipe["compiled"]["ops"] == {"npu": 1}
    assert made.recipe["compiled"]["figures"]["cycles_total"] == 100.0
    assert made.versions["ethos-u-vela"] == "9.9"
    details = json.loads(made.files[2].read())
    assert details["layers"][0]["cycles"] == 10
    assert details["placements"] == [{"tensor": "y0", "op": "RELU", "unit": "npu"}]
    assert made.diagnostics == ()


def test_what_it_leaves_is_told_with_its_place(fake: Any) -> None:
    (found,) = compiled(artifact(), target("ethos-u55-128"), fake(lambda op: "no kernel")).diagnostics
    assert (found.code, found.severity) == ("EK523", Severity.WARNING)
    assert (found.where.file, found.where.line, found.where.nodes) == ("net.py", 7, ("relu_3",))
    assert "it says: no kernel" in found.notes


def test_a_target_without_a_known_compiler_changes_nothing() -> None:
    before = artifact()
    assert compiled(before, target("cortex-m55")) is before
