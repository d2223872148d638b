from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.diagnostics import EdgekitError
from edgekit.importers import IMPORTERS, imports, load
from edgekit.ir import origin_of


def relu_model(opset: int = 17) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], name="act")], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def code_of(failure: pytest.ExceptionInfo[EdgekitError]) -> str:
    return failure.value.diagnostics[0].code


def test_path_as_string_and_as_path_give_the_same_model(tmp_path: Path) -> None:
    path = tmp_path / "relu.onnx"
    onnx.save(relu_model(), path)
    by_string, by_path = load(str(path)), load(path)
    assert by_string.sha256 == by_path.sha256
    assert by_string.path == path
    assert [origin_of(n).nodes for n in by_path.ir.graph] == [("act",)]


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    onnx.save(relu_model(), tmp_path / "relu.onnx")
    with pytest.raises(EdgekitError) as failure:
        load(tmp_path / "rleu.onnx")
    assert code_of(failure) == "EK101"
    assert failure.value.diagnostics[0].help == "did you mean `relu.onnx`?"


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError) as failure:
        load(tmp_path / "nowhere" / "m.onnx")
    assert code_of(failure) == "EK101"
    assert "nowhere" in failure.value.diagnostics[0].message


def test_folder_that_no_importer_accepts(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError) as failure:
        load(tmp_path)
    assert code_of(failure) == "EK102"


def test_unknown_suffix_lists_the_known(tmp_path: Path) -> None:
    (tmp_path / "m.xyz").write_bytes(b"abc")
    with pytest.raises(EdgekitError) as failure:
        load(tmp_path / "m.xyz")
    assert code_of(failure) == "EK102"
    assert "`.onnx`" in failure.value.diagnostics[0].notes[0]


def test_unknown_object() -> None:
    with pytest.raises(EdgekitError) as failure:
        load(42)
    assert code_of(failure) == "EK102"
    assert "builtins.int" in failure.value.diagnostics[0].message


def test_option_without_meaning_is_refused() -> None:
    with pytest.raises(EdgekitError) as failure:
        load(relu_model(), example_inputs=(1,))
    assert code_of(failure) == "EK202"


def test_name_and_suffix_clash() -> None:
    load(relu_model())  # fills the table
    for name, suffix in (("onnx", ".other"), ("other", ".onnx")):
        with pytest.raises(EdgekitError) as failure:
            imports(name, suffixes=(suffix,))(lambda request: request.source)
        assert code_of(failure) == "EK201"
    assert "other" not in IMPORTERS


def test_a_tflite_file_goes_to_its_importer(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(EdgekitError) as caught:
        load(path)
    found = caught.value.diagnostics[0]
    assert (found.code, "the TFLite file is damaged" in found.message) == ("EK113", True)
