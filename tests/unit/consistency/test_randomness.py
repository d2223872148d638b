from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from edgekit.consistency.randomness import random_outputs

node = helper.make_node
Make = Callable[..., Any]
IO = {"x": ("FLOAT", [2])}, {"y": ("FLOAT", [2]), "z": ("FLOAT", [2])}


def test_only_outputs_downstream_of_a_random_op(make_model: Make) -> None:
    model = make_model(
        [node("RandomNormalLike", ["x"], ["r"]), node("Add", ["x", "r"], ["y"]), node("Neg", ["x"], ["z"])],
        *IO,
    )
    assert dict(random_outputs(model)) == {"y": "RandomNormalLike"}


def test_no_random_op(make_model: Make) -> None:
    model = make_model([node("Neg", ["x"], ["y"]), node("Abs", ["x"], ["z"])], *IO)
    assert dict(random_outputs(model)) == {}


def test_dropout_is_random_in_training_only(make_model: Make) -> None:
    for training, expected in ((False, set()), (True, {"y"})):
        constants = {"r": np.float32(0.5), "t": np.array(training)}
        nodes = [node("Dropout", ["x", "r", "t"], ["y"]), node("Neg", ["x"], ["z"])]
        assert set(random_outputs(make_model(nodes, *IO, constants))) == expected


def test_inside_a_branch(make_model: Make) -> None:
    branches = {
        f"{kind}_branch": helper.make_graph(
            [node(op, ["x"], [f"{kind}_out"])],
            kind,
            [],
            [helper.make_tensor_value_info(f"{kind}_out", 1, [2])],
        )
        for kind, op in (("then", "RandomUniformLike"), ("else", "Neg"))
    }
    nodes = [node("If", ["c"], ["y"], **branches), node("Neg", ["x"], ["z"])]
    model = make_model(nodes, {**IO[0], "c": ("BOOL", [])}, IO[1])
    assert dict(random_outputs(model)) == {"y": "RandomUniformLike"}
