"""Damaged packages: an error with a code, or the same numbers; never a trace, never a hang."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.runners.mil_reference.model import MilModel

from .conftest import IMAGE, edited
from .test_mutations import constant, ops, with_ints, with_type

SPEC = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
CODES = {"EK503", "EK505", "EK507"}


def code(path: Path) -> str:
    with pytest.raises(EdgekitError) as error:
        MilModel(path).run({"x": IMAGE})
    return error.value.diagnostics[0].code


def outcome(path: Path) -> None:
    """Runs a package; anything but results or an error with a known code fails the test."""
    codes = set()
    try:
        MilModel(path).run({"x": IMAGE})
    except EdgekitError as error:
        codes = {d.code for d in error.diagnostics}
    assert codes <= CODES


@pytest.mark.parametrize("name", [SPEC, WEIGHTS, "Manifest.json"])
def test_truncation(cnn: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(cnn, tmp_path / "copy.mlpackage")
    data = (copy / name).read_bytes().rstrip(b"\n")
    for length in {0, 1, 63, 64, 100, *range(0, len(data), max(len(data) // 40, 1)), len(data) - 1}:
        (copy / name).write_bytes(data[:length])
        assert code(copy) in CODES, length


@pytest.mark.parametrize("name", [SPEC, WEIGHTS, "Manifest.json"])
def test_flipped_bytes(cnn: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(cnn, tmp_path / "copy.mlpackage")
    data = (copy / name).read_bytes()
    random = np.random.default_rng(7)
    for _ in range(250):
        changed = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            changed[place] = random.integers(0, 256)
        (copy / name).write_bytes(changed)
        outcome(copy)


def test_missing_files(cnn: Path, tmp_path: Path) -> None:
    for i, name in enumerate([SPEC, WEIGHTS, "Manifest.json"]):
        copy = shutil.copytree(cnn, tmp_path / f"{i}.mlpackage")
        (copy / name).unlink()
        assert code(copy) == "EK507"


def blob(spec: Any) -> Any:
    (op,) = (o for o in ops(spec) if o.outputs[0].name == "conv_weight_0")
    return op.attributes["val"]


def a_name_that_leads_away(spec: Any) -> None:
    blob(spec).blobFileValue.fileName = "@model_path/../../../secret.bin"


def an_offset_beyond_the_end(spec: Any) -> None:
    blob(spec).blobFileValue.offset = 2**40


def an_offset_in_the_middle(spec: Any) -> None:
    blob(spec).blobFileValue.offset += 4


def more_elements_than_stored(spec: Any) -> None:
    (op,) = (o for o in ops(spec) if o.outputs[0].name == "conv_weight_0")
    for kind in (op.outputs[0].type, op.attributes["val"].type):
        kind.tensorType.dimensions[0].constant.size = 2**31


def another_version(spec: Any) -> None:
    spec.mlProgram.version = 9


def a_rank_without_sizes(spec: Any) -> None:
    ops(spec)[0].outputs[0].type.tensorType.rank = 3


def an_undefined_name(spec: Any) -> None:
    ops(spec)[-1].inputs["x"].arguments[0].name = "nowhere"


def a_name_twice(spec: Any) -> None:
    ops(spec)[-1].outputs[0].name = "relu"


def too_few_values(spec: Any) -> None:
    del constant(spec, "conv_pad_0").ints.values[0]


def an_input_that_is_not_described(spec: Any) -> None:
    spec.description.input[0].name = "z"


def an_input_of_another_type(spec: Any) -> None:
    spec.description.input[0].type.multiArrayType.dataType = 131104


def an_output_of_another_shape(spec: Any) -> None:
    spec.description.output[0].type.multiArrayType.shape[1] = 4


@pytest.mark.parametrize(
    "change",
    [
        a_name_that_leads_away,
        an_offset_beyond_the_end,
        an_offset_in_the_middle,
        more_elements_than_stored,
        another_version,
        a_rank_without_sizes,
        an_undefined_name,
        a_name_twice,
        too_few_values,
        an_input_that_is_not_described,
        an_input_of_another_type,
        an_output_of_another_shape,
    ],
)
def test_a_package_that_contradicts_itself_cannot_be_read(
    cnn: Path, tmp_path: Path, change: Callable[[Any], None]
) -> None:
    assert code(edited(cnn, tmp_path, change)) == "EK507"


def another_opset(spec: Any) -> None:
    function = spec.mlProgram.functions["main"]
    function.block_specializations["CoreML99"].CopyFrom(function.block_specializations[function.opset])
    function.opset = "CoreML99"


def an_unknown_parameter(spec: Any) -> None:
    op = ops(spec)[-1]
    op.inputs["axes"].CopyFrom(op.inputs["axis"])
    del op.inputs["axis"]


def a_missing_parameter(spec: Any) -> None:
    (op,) = (o for o in ops(spec) if o.outputs[0].name == "conv")
    del op.inputs["weight"]


def a_declared_type_that_is_not_computed(spec: Any) -> None:
    (op,) = (o for o in ops(spec) if o.outputs[0].name == "relu")
    op.outputs[0].type.tensorType.dataType = 10


def a_declared_shape_that_is_not_computed(spec: Any) -> None:
    (op,) = (o for o in ops(spec) if o.outputs[0].name == "relu")
    op.outputs[0].type.tensorType.dimensions[1].constant.size = 5


@pytest.mark.parametrize(
    ("change", "op"),
    [
        (with_type("relu", "no_such_op"), "relu"),
        (with_type("relu", "scaled_dot_product_attention"), "relu"),
        (with_ints("conv_pad_0", -1, 1, 1, 1), "conv"),
        (with_ints("conv_groups_0", 3), "conv"),
        (with_ints("conv_strides_0", 0, 1), "conv"),
        (with_ints("probabilities_axis_0", 7), "probabilities"),
        (an_unknown_parameter, "probabilities"),
        (a_missing_parameter, "conv"),
        (a_declared_type_that_is_not_computed, "relu"),
        (a_declared_shape_that_is_not_computed, "relu"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_cannot_be_evaluated_names_its_op(
    cnn: Path, tmp_path: Path, change: Callable[[Any], None], op: str
) -> None:
    with pytest.raises(EdgekitError) as error:
        MilModel(edited(cnn, tmp_path, change)).run({"x": IMAGE})
    (found,) = error.value.diagnostics
    assert found.code == "EK503"
    assert f"`{op}`" in found.message


def test_an_opset_that_is_not_known(cnn: Path, tmp_path: Path) -> None:
    assert code(edited(cnn, tmp_path, another_opset)) == "EK503"


def test_another_kind_of_model(cnn: Path, tmp_path: Path) -> None:
    assert code(edited(cnn, tmp_path, lambda spec: spec.identity.SetInParent())) == "EK503"
