"""Placements on the Edge TPU against those that its compiler left in the compiled twins of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.compat.twins import compared

FOLDER = Path(__file__).parents[4] / "shared" / "corpus" / "coral_edgetpu"
TWINS = sorted(FOLDER.glob("*_edgetpu.tflite"))


@pytest.mark.corpus
@pytest.mark.skipif(not TWINS, reason="the optional corpus is not beside the repository")
def test_placements_agree_op_by_op() -> None:
    results = [
        row for twin in TWINS for row in compared(twin.with_name(twin.name.replace("_edgetpu", "")), twin)
    ]
    assert len(results) > 100
    assert sum(row.agrees for row in results) / len(results) >= 0.95
    assert not [row for row in results if row.wrongly_supported]
