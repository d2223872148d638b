"""Calls single ops, as a program would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.runners.mil_reference import ops  # noqa: F401 - fills the table
from edgekit.runners.mil_reference.call import call
from edgekit.runners.mil_reference.refusal import Refusal
from edgekit.runners.mil_reference.table import TABLE


def floats(values: Any, dtype: Any = np.float32) -> np.ndarray:
    return np.asarray(values, dtype)


def ints(values: Any, dtype: Any = np.int32) -> np.ndarray:
    return np.asarray(values, dtype)


def value(given: Any) -> Any:
    """Makes a runtime value: text, bools, ints and floats become tensors of int32 and float32."""
    if isinstance(given, np.ndarray) or not isinstance(given, str | bool | int | float | list):
        return given
    array = np.array(given, object) if isinstance(given, str) else np.asarray(given)
    return array.astype({"i": np.int32, "f": np.float32}.get(array.dtype.kind, array.dtype))


def run(op: str, ios: int = 15, /, **given: Any) -> Any:
    """Runs an op; a tuple stands for a parameter that takes several tensors."""
    row = TABLE.find(op, ios)
    assert row is not None, f"no {op} in iOS {ios}"
    arguments = {n: [value(g) for g in v] if isinstance(v, tuple) else [value(v)] for n, v in given.items()}
    results = call(row, arguments)
    return results[0] if len(results) == 1 else results


def refused(op: str, ios: int = 15, /, **given: Any) -> str:
    """Runs an op that refuses, and returns why."""
    with pytest.raises(Refusal) as refusal:
        run(op, ios, **given)
    return str(refusal.value)
