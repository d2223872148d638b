from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit.artifact import Delta, Status
from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.ties import Ranking, ranking_of, settle
from edgekit.consistency.tolerance import EXACT, default_tolerance

node = helper.make_node
Make = Callable[..., Any]
F32 = default_tolerance("float32")
SCORES = np.array([[0.1, 0.9, 0.9, 0.2], [0.5, 0.1, 0.0, 0.50000001]], np.float32)


def settled(reference: Any, actual: Any, ranking: Ranking, scores: Any = SCORES) -> Delta:
    pair = (np.asarray(reference), None if actual is None else np.asarray(actual))
    delta = compare_tensor("y", [pair], EXACT)
    return settle(delta, ranking, [pair], lambda sample: scores, F32)


ARGMAX = Ranking("ArgMax", "s", 1)
TOPK = Ranking("TopK", "s", -1)


def test_equal_scores_are_a_tie() -> None:
    delta = settled([1, 3], [2, 0], ARGMAX)
    assert delta.status is Status.TIE
    assert delta.status.holds
    assert "2 of 2 indices" in delta.notes[0]


def test_keepdims_does_not_matter() -> None:
    assert settled([[1], [0]], [[2], [0]], ARGMAX).status is Status.TIE


@pytest.mark.parametrize("actual", [[1, 1], [0, 0], [4, 0], [-5, 0]])
def test_a_wrong_index_is_no_tie(actual: list[int]) -> None:
    assert settled([1, 0], actual, ARGMAX).status is Status.DIFFER


def test_an_axis_in_front() -> None:
    ranking = Ranking("ArgMax", "s", 0)
    assert settled(
        [0, 1, 0, 1], [1, 1, 0, 1], ranking, SCORES[::-1] * [[1, 1, 1, 1], [5, 1, 1, 1]]
    ).status in (Status.TIE,)
    assert settled([1, 0, 0, 1], [1, 1, 0, 1], ranking).status is Status.DIFFER


def test_top_k_may_swap_equals_but_not_repeat_one() -> None:
    assert settled([[1, 2], [3, 0]], [[2, 1], [0, 3]], TOPK).status is Status.TIE
    assert settled([[1, 2], [3, 0]], [[1, 1], [3, 0]], TOPK).status is Status.DIFFER
    assert settled([[1, 2], [3, 0]], [[1, 3], [3, 0]], TOPK).status is Status.DIFFER


def test_scores_that_cannot_be_seen_or_are_not_finite_prove_nothing() -> None:
    assert settled([1, 0], [2, 0], ARGMAX, None).status is Status.DIFFER
    assert settled([1, 0], [2, 0], ARGMAX, SCORES * np.nan).status is Status.DIFFER
    assert settled([1, 0], [[2, 0]], ARGMAX).status is Status.DIFFER
    assert settled([1, 0], None, ARGMAX).status is Status.MISSING


def test_rankings_are_found_behind_ops_that_keep_the_order(make_model: Make) -> None:
    nodes = [
        node("Neg", ["x"], ["s"]),
        node("ArgMin", ["s"], ["i"], axis=1, keepdims=0),
        node("Cast", ["i"], ["c"], to=6),
        node("Unsqueeze", ["c", "axes"], ["y"]),
        node("TopK", ["s", "k"], ["v", "z"]),
        node("Transpose", ["z"], ["w"]),
    ]
    outputs = {"y": ("INT32", None), "v": ("FLOAT", None), "z": ("INT64", None), "w": ("INT64", None)}
    model = make_model(nodes, {"x": ("FLOAT", [2, 5])}, outputs, {"axes": np.array([0]), "k": np.array([2])})
    assert ranking_of(model, "y") == Ranking("ArgMin", "s", 1)
    assert ranking_of(model, "z") == Ranking("TopK", "s", -1)
    assert ranking_of(model, "v") is None
    assert ranking_of(model, "w") is None
