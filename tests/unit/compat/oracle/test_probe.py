"""Probing, against oracles whose limits are known."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.compat import target
from edgekit.compat.probe import Limit, Probe, ops_named
from edgekit.compat.proposal import evidence, proposed
from edgekit.diagnostics import EdgekitError
from edgekit.lowering.ledger import Emitted


def limit(fake: Any, refuses: Any, op: str, knob: str) -> Limit:
    (found,) = Probe(target("ethos-u55-128"), fake(refuses), op).limits((knob,))
    return found


@pytest.mark.parametrize("high", [1, 2, 3, 5, 17, 64, 100])
def test_a_limit_is_found_exactly(fake: Any, high: int) -> None:
    def refuses(op: Emitted) -> str:
        return "too high" if op.attrs["filter_height"] > max(high, 2) else ""

    found = limit(fake, refuses, "MAX_POOL_2D", "kernel_h")
    assert found.highest == max(high, 2)
    rule = proposed(found)
    assert rule is not None
    assert rule[0] == f"kernel-height: {{high: {max(high, 2)}}}"
    assert "too high" in rule[1]


def test_no_limit_no_rule(fake: Any) -> None:
    found = limit(fake, lambda op: "", "MAX_POOL_2D", "kernel_h")
    assert found.highest is None
    assert proposed(found) is None
    assert "all of" in evidence(found)


def test_values_of_a_list(fake: Any) -> None:
    def refuses(op: Emitted) -> str:
        return "" if op.inputs[0] is not None and op.inputs[0].dtype.name in ("int8", "int16") else "no"

    found = limit(fake, refuses, "RELU", "dtype")
    assert proposed(found) == ("dtype-in: {of: ifm, dtypes: [int8, int16]}", evidence(found))
    assert {a.value for a in found.refused} == {"uint8", "float32", "int32"}
    assert {a.value for a in found.disagreeing} == {"uint8"}  # the table takes it


def test_the_base_must_be_taken(fake: Any) -> None:
    with pytest.raises(EdgekitError) as caught:
        limit(fake, lambda op: "never", "RELU", "dtype")
    assert caught.value.diagnostics[0].code == "EK503"
    assert caught.value.diagnostics[0].notes == ("never",)


def test_a_knob_that_there_is_not(fake: Any) -> None:
    with pytest.raises(EdgekitError) as caught:
        limit(fake, lambda op: "", "RELU", "kernel_h")
    assert caught.value.diagnostics[0].code == "EK204"


def test_names_of_ops() -> None:
    assert ops_named("Conv") == ("CONV_2D", "DEPTHWISE_CONV_2D")
    assert ops_named("LeakyRelu") == ("LEAKY_RELU",)
    assert ops_named("MAX_POOL_2D") == ("MAX_POOL_2D",)
