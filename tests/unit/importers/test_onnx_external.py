"""External data: mapped, inside the folder, long enough."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import load


def model(location: str, dims: list[int], **entries: object) -> onnx.ModelProto:
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, dims)
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [y], [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(folder: Path, proto: onnx.ModelProto, name: str = "m.onnx") -> Path:
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


def weights(path: Path, values: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.array(values, "<f4").tobytes())


def refused(source: object) -> Diagnostic:
    with pytest.raises(EdgekitError) as failure:
        load(source)
    return failure.value.diagnostics[0]


def values_of(path: Path) -> list[float]:
    tensor = load(path).ir.graph.initializers["w"].const_value
    assert isinstance(tensor, ir.ExternalTensor)
    return list(tensor.numpy().tolist())


def test_values_arrive_with_and_without_offset(tmp_path: Path) -> None:
    weights(tmp_path / "sub" / "w.bin", [1, 2, 3, 4])
    assert values_of(saved(tmp_path, model("sub/w.bin", [4]))) == [1, 2, 3, 4]
    assert values_of(saved(tmp_path, model("sub/w.bin", [2], offset=8, length=8))) == [3, 4]
    assert values_of(saved(tmp_path, model("./sub/../sub/w.bin", [2], offset=4))) == [2, 3]


def test_relative_path_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights(tmp_path / "w.bin", [1, 2])
    saved(tmp_path, model("w.bin", [2]))
    monkeypatch.chdir(tmp_path)
    assert values_of(Path("m.onnx")) == [1, 2]


def test_other_working_folder_after_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights(tmp_path / "w.bin", [1, 2])
    saved(tmp_path, model("w.bin", [2]))
    monkeypatch.chdir(tmp_path)
    graph = load("m.onnx").ir.graph
    monkeypatch.chdir("/")
    assert graph.initializers["w"].const_value.numpy().tolist() == [1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "sub/../../w.bin", ".."])
def test_path_that_leaves_the_folder(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    weights(tmp_path / "w.bin", [1, 2])
    found = refused(saved(folder, model(location, [2])))
    assert found.code == "EK106"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_link_that_leaves_the_folder(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    weights(tmp_path / "other" / "w.bin", [1, 2])
    if kind == "file":
        (folder / "w.bin").symlink_to(tmp_path / "other" / "w.bin")
    else:
        (folder / "sub").symlink_to(tmp_path / "other")
    found = refused(saved(folder, model("w.bin" if kind == "file" else "sub/w.bin", [2])))
    assert found.code == "EK106"
    assert str(tmp_path / "other") in found.notes[0]


def test_link_inside_the_folder(tmp_path: Path) -> None:
    weights(tmp_path / "data" / "w.bin", [1, 2])
    (tmp_path / "w.bin").symlink_to("data/w.bin")
    assert values_of(saved(tmp_path, model("w.bin", [2]))) == [1, 2]


def test_download_cache_that_links_model_and_data_to_one_folder(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    snapshot.mkdir()
    weights(blobs / "aa", [1, 2])
    saved(blobs, model("w.bin", [2]), "bb")
    (snapshot / "w.bin").symlink_to("../blobs/aa")
    (snapshot / "m.onnx").symlink_to("../blobs/bb")
    assert values_of(snapshot / "m.onnx") == [1, 2]


def test_hard_link(tmp_path: Path) -> None:
    weights(tmp_path / "other" / "w.bin", [1, 2])
    os.link(tmp_path / "other" / "w.bin", tmp_path / "w.bin")
    found = refused(saved(tmp_path, model("w.bin", [2])))
    assert found.code == "EK106"
    assert "2 hard links" in found.message


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    weights(tmp_path / "model.bin", [1, 2])
    found = refused(saved(tmp_path, model("modle.bin", [2])))
    assert found.code == "EK105"
    assert found.help == "did you mean `model.bin`?"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": 4}, "ends at byte 12, the file has 8"),
        ({"offset": 2**62}, "the file has 8"),
        ({"length": 4}, "is 4 bytes long, its shape needs 8"),
        ({"offset": -4}, "offset `-4`, not a size"),
        ({"offset": "0x10"}, "offset `0x10`, not a size"),
        ({"length": "9" * 30}, "not a size"),
        ({"location": ""}, "does not say in which file"),
        ({"location": "."}, "is not a regular file"),
        ({"location": "w.bin/x"}, "does not exist"),
        ({"location": "a\0b"}, "does not exist"),
        ({"location": "x" * 5000}, ""),
    ],
)
def test_reference_that_is_not_valid(tmp_path: Path, entries: dict[str, object], message: str) -> None:
    weights(tmp_path / "w.bin", [1, 2])
    found = refused(saved(tmp_path, model(str(entries.pop("location", "w.bin")), [2], **entries)))
    assert found.code == "EK105"
    assert message in found.message


def test_data_inside_and_outside(tmp_path: Path) -> None:
    proto = model("w.bin", [2])
    proto.graph.initializer[0].raw_data = bytes(8)
    assert refused(saved(tmp_path, proto)).code == "EK103"


def test_object_in_memory_has_no_folder() -> None:
    found = refused(model("w.bin", [2]))
    assert found.code == "EK105"
    assert "no folder" in found.message


def test_constant_outside_of_the_file(tmp_path: Path) -> None:
    weights(tmp_path / "w.bin", [1, 2])
    proto = model("w.bin", [2])
    node = helper.make_node("Constant", [], ["w"], value=proto.graph.initializer[0])
    del proto.graph.initializer[:]
    proto.graph.node.insert(0, node)
    constant = next(iter(load(saved(tmp_path, proto)).ir.graph))
    assert constant.attributes["value"].as_tensor().numpy().tolist() == [1, 2]


def test_more_than_two_gigabytes_are_not_read(tmp_path: Path) -> None:
    count = 3 * 2**28  # 3 GiB of float32, a hole in the file
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(count * 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tensor = load(saved(tmp_path, model("w.bin", [count]))).ir.graph.initializers["w"].const_value
    assert tensor is not None
    assert tensor.shape[0] == count
    assert tensor.numpy()[-1] == 0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024  # KiB
