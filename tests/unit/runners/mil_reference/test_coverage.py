"""The table against the definitions of coremltools: which ops there are, and what they take."""

from __future__ import annotations

from typing import Any

from edgekit.runners.mil_reference import ops  # noqa: F401 - fills the table
from edgekit.runners.mil_reference.table import TABLE

IOS = {6: 15, 7: 16, 8: 17, 9: 18}
"""iOS by version of the specification."""
BLOCKS = {"cond", "while_loop"}
"""Ops with blocks, which the evaluator runs itself."""
REFUSED = {
    "conv_quantized": "experimental, and says itself that it may change",
    "random_bernoulli": "random",
    "random_categorical": "random",
    "random_normal": "random",
    "random_uniform": "random",
}
INTERNAL = {"_const_symbolic"}
"""Never written to a file."""


def definitions(ct: Any) -> dict[tuple[str, int], Any]:
    """Returns the input types of each op as they are in each iOS version."""
    registry = ct.converters.mil.mil.ops.registry.SSAOpRegistry.core_ops
    return {
        (name, IOS[version]): kinds.input_spec.input_types
        for name, versions in registry.items()
        for version, kinds in ((int(v), k) for v, k in versions.items() if int(v) in IOS)
    }


def test_every_op_is_evaluated_or_refused_for_a_reason(ct: Any) -> None:
    missing = {name for name, ios in definitions(ct) if TABLE.find(name, ios) is None}
    assert missing == BLOCKS | set(REFUSED) | INTERNAL


def test_the_parameters_are_those_of_the_definitions(ct: Any) -> None:
    for (name, ios), inputs in definitions(ct).items():
        row = TABLE.find(name, ios)
        if row is None or name == "const":  # whose value is an attribute of the file
            continue
        defined = {key: kind.optional for key, kind in inputs.items()}
        assert {p.name: p.optional for p in row.parameters} == defined, (name, ios)
