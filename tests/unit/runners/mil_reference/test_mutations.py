"""Changes of a saved package: each must show in the results, and be located."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.runners.mil_reference.diverge import Difference, first_difference
from edgekit.runners.mil_reference.model import MilModel

from .conftest import IMAGE, edited

WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


def ops(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


def constant(spec: Any, name: str) -> Any:
    (op,) = (o for o in ops(spec) if o.outputs[0].name == name)
    return op.attributes["val"].immediateValue.tensor


def with_ints(name: str, *values: int) -> Callable[[Any], None]:
    def change(spec: Any) -> None:
        constant(spec, name).ints.values[:] = values

    return change


def with_type(name: str, kind: str) -> Callable[[Any], None]:
    def change(spec: Any) -> None:
        (op,) = (o for o in ops(spec) if o.outputs[0].name == name)
        op.type = kind

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (with_ints("conv_pad_0", 0, 2, 1, 1), Difference("conv", "conv")),
        (with_ints("pool_pad_0", 1, 0, 1, 0), Difference("pool", "max_pool")),
        (with_ints("mean_axes_0", 2), Difference("mean", "reduce_mean")),
        (with_type("relu", "sigmoid"), Difference("relu", "sigmoid")),
        (with_type("pool", "l2_pool"), Difference("pool", "l2_pool")),
        (with_type("mean", "reduce_max"), Difference("mean", "reduce_max")),
    ],
    ids=["pad", "pad of pool", "axis", "activation", "kind of pool", "kind of reduction"],
)
def test_a_changed_op_is_named(
    cnn: Path, tmp_path: Path, change: Callable[[Any], None], where: Difference
) -> None:
    found = first_difference(MilModel(edited(cnn, tmp_path, change)), MilModel(cnn), {"x": IMAGE})
    assert found == where
    changed = MilModel(tmp_path / "edited.mlpackage").run({"x": IMAGE})
    assert not np.array_equal(changed["probabilities"], MilModel(cnn).run({"x": IMAGE})["probabilities"])


def test_a_changed_stride_is_named(save: Callable[..., Path], tmp_path: Path) -> None:
    from coremltools.converters.mil import Builder as mb

    def build(x: Any) -> Any:
        y = mb.avg_pool(x=x, kernel_sizes=[1, 3], strides=[1, 2], pad_type="valid", name="pool")
        return mb.reduce_sum(x=y, axes=[3], keep_dims=False, name="y")

    path = save(build, {"x": (1, 1, 1, 5)})

    def change(spec: Any) -> None:
        with_ints("pool_strides_0", 1, 1)(spec)
        (op,) = (o for o in ops(spec) if o.outputs[0].name == "pool")
        op.outputs[0].type.tensorType.dimensions[3].constant.size = 3

    x = np.arange(5, dtype=np.float32).reshape(1, 1, 1, 5)
    found = first_difference(MilModel(path), MilModel(edited(path, tmp_path, change)), {"x": x})
    assert found == Difference("pool", "avg_pool")


def test_a_changed_epsilon_is_named(save: Callable[..., Path], tmp_path: Path) -> None:
    from coremltools.converters.mil import Builder as mb

    path = save(lambda x: mb.layer_norm(x=x, axes=[1], epsilon=1e-5, name="y"), {"x": (1, 4)})

    def change(spec: Any) -> None:
        constant(spec, "y_epsilon_0").floats.values[:] = [1e-3]

    found = first_difference(
        MilModel(path), MilModel(edited(path, tmp_path, change)), {"x": np.arange(4, dtype=np.float32)[None]}
    )
    assert found == Difference("y", "layer_norm")


def test_every_weight_of_the_file_matters(cnn: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(cnn, tmp_path / "copy.mlpackage")
    original = (copy / WEIGHTS).read_bytes()
    weight = original.find(np.float32(0.5).tobytes(), 64)
    assert weight > 0
    (copy / WEIGHTS).write_bytes(original[:weight] + np.float32(0.53).tobytes() + original[weight + 4 :])
    difference = first_difference(MilModel(cnn), MilModel(copy), {"x": IMAGE})
    assert difference == Difference("conv", "conv")


def test_packages_that_are_the_same_have_no_difference(cnn: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(cnn, tmp_path / "copy.mlpackage")
    assert first_difference(MilModel(cnn), MilModel(copy), {"x": IMAGE}) is None
