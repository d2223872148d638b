from __future__ import annotations

import numpy as np

from edgekit.consistency.informative import weaknesses
from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.tolerance import default_tolerance


def notes(*samples: object, dtype: type = np.float32) -> str:
    arrays = [np.asarray(s, dtype) for s in samples]
    delta = compare_tensor("y", [(a, a) for a in arrays], default_tolerance(np.dtype(dtype).name))
    return "; ".join(weaknesses(delta, arrays))


def test_lively_outputs_have_no_weakness() -> None:
    assert notes([0.1, 0.9], [0.4, 0.6]) == ""


def test_a_constant_says_its_value() -> None:
    assert "it is 1 everywhere" in notes([1, 1], [1, 1])
    assert "it is 0 everywhere" in notes([0, 0], [0, 0], dtype=np.int64)


def test_saturation() -> None:
    assert "saturated" in notes([0, 1, 0], [1, 0, 0])
    assert notes([0, 1, 0], [1, 0, 0], dtype=np.int32) == ""


def test_nothing_finite() -> None:
    assert "no finite value" in notes([np.nan, np.inf])


def test_nothing_at_all() -> None:
    assert "empty" in notes(np.zeros((0, 2)))


def test_the_same_for_all_samples() -> None:
    assert "same for all" in notes([1, 2, 3], [1, 2, 3])
    assert notes([1, 2, 3]) == ""


def test_a_range_near_the_limit() -> None:
    assert "close to the limit" in notes([1000, 1000.001], [1000.002, 1000])
