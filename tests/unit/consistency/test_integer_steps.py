"""Outputs of integer kernels, counted in steps."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.artifact import Delta, Status
from edgekit.consistency.steps import settle_integers

STEP = 0.25
DELTA = Delta("y", Status.DIFFER, "float32", limit=1e-6)


def judged(steps):
    reference = np.arange(1000, dtype=np.float32) * np.float32(STEP)
    return settle_integers(
        DELTA, STEP, [(reference, (reference + np.asarray(steps) * STEP).astype(np.float32))]
    )


def mixed(one, more, size=3.0):
    steps = np.zeros(1000)
    steps[:one], steps[1000 - more :] = 1, size
    return steps


@pytest.mark.parametrize(("one", "more", "status"), [(1000, 0, "tie"), (400, 10, "tie"), (0, 11, "differ")])
def test_one_step_anywhere_and_more_at_few(one, more, status):
    delta = judged(mixed(one, more))
    assert delta.status == status
    assert f"{min(one, 1000 - more)} of 1000 elements differ by one quantisation step" in delta.notes[0]
    assert ("by up to 3" in delta.notes[0]) == bool(more)


@pytest.mark.parametrize("steps", [mixed(0, 5, 0.5), mixed(0, 5, np.nan)], ids=["half a step", "NaN"])
def test_what_is_no_step_is_a_difference(steps):
    assert judged(steps).status is Status.DIFFER


def test_another_shape_is_a_difference():
    assert settle_integers(DELTA, STEP, [(np.zeros(3), np.zeros(4))]).status is Status.DIFFER
