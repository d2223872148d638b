"""The tables of opset changes cover everything that ONNX ever changed, once."""

from __future__ import annotations

import pytest
from onnx import defs

from edgekit.diagnostics import EdgekitError
from edgekit.passes import prepare
from edgekit.passes.upgrade import ADAPTERS, NEWEST
from edgekit.passes.upgrade import table as upgrade_table
from edgekit.passes.upgrade.unchanged import UNCHANGED


def changes():
    """All (op, version) with a version before it."""
    versions = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            versions.setdefault(schema.name, []).append(schema.since_version)
    return {(name, v) for name, found in versions.items() for v in sorted(found)[1:] if v <= NEWEST}


def test_every_change_is_known_once():
    unchanged = {(name, version) for version, names in UNCHANGED.items() for name in names}
    assert not unchanged & set(ADAPTERS)
    assert unchanged | set(ADAPTERS) == changes()


def test_newest_is_not_behind_the_installed_onnx_by_more_than_it_says():
    assert upgrade_table.target_opset() == min(defs.onnx_opset_version(), NEWEST)


def test_a_change_that_is_not_known_is_refused(lab, monkeypatch):
    monkeypatch.delitem(UNCHANGED, 13)
    model = lab.hub(lab.proto("(float[2] x) => (float[2] y) { y = Tanh(x) }", 12))
    with pytest.raises(EdgekitError) as caught:
        prepare(model)
    assert caught.value.diagnostics[0].code == "EK108"
    assert "`Tanh`" in caught.value.diagnostics[0].message
    assert caught.value.diagnostics[0].where.nodes == ("main_Tanh_0",)


def test_a_model_newer_than_the_table_is_refused(lab):
    model = lab.hub(lab.proto("(float[2] x) => (float[2] y) { y = Tanh(x) }", 99))
    with pytest.raises(EdgekitError) as caught:
        prepare(model)
    assert caught.value.diagnostics[0].code == "EK108"
