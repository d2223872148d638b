"""ONNX files as untrusted bytes: each kind of damage is its own diagnostic."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pytest

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import load, onnx_file
from edgekit.ir import Model

RELU = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 4] x) => (float[1, 4] y) { y = Relu(x) }
"""


def relu() -> onnx.ModelProto:
    return onnx.parser.parse_model(RELU)


def refused(source: object) -> Diagnostic:
    with pytest.raises(EdgekitError) as failure:
        load(source)
    return failure.value.diagnostics[0]


def written(folder: Path, data: bytes, name: str = "m.onnx") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_file_gives_path_hash_and_specs(tmp_path: Path) -> None:
    data = relu().SerializeToString()
    model = load(written(tmp_path, data))
    assert isinstance(model, Model)
    assert model.sha256 == hashlib.sha256(data).hexdigest()
    assert model.name == "m"
    assert model.opset == 17
    assert [(s.name, s.dtype, s.shape) for s in model.inputs] == [("x", np.float32, (1, 4))]


def test_proto_in_memory_stays_untouched_and_apart() -> None:
    proto = relu()
    before = proto.SerializeToString()
    model = load(proto)
    assert proto.SerializeToString() == before
    proto.graph.node[0].op_type = "Sigmoid"
    proto.graph.output[0].name = "other"
    assert [n.op_type for n in model.ir.graph] == ["Relu"]
    assert model.outputs[0].name == "y"
    assert model.path is None
    assert model.sha256 is None


@pytest.mark.parametrize(
    ("data", "code", "part"),
    [
        (b"", "EK103", "is empty"),
        (b"hello, this is a readme\n", "EK102", "is a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "EK102", "Git LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "EK102", "HTML page"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(40), "EK102", "TFLite model"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "EK102", "HDF5 file"),
        (b"PK\x03\x04" + bytes(40), "EK102", "zip archive"),
        (bytes(range(256)) * 8, "EK103", "truncated or corrupt"),
        (b"\x08\x08", "EK103", "truncated or corrupt"),
    ],
)
def test_other_content(tmp_path: Path, data: bytes, code: str, part: str) -> None:
    found = refused(written(tmp_path, data))
    assert found.code == code
    assert part in found.message


def test_every_truncation_is_refused_or_complete(tmp_path: Path) -> None:
    data = relu().SerializeToString()
    for size in range(1, len(data)):
        with pytest.raises(EdgekitError) as failure:
            load(written(tmp_path, data[:size]))
        assert failure.value.diagnostics[0].code in ("EK102", "EK103", "EK104"), size


def test_larger_than_protobuf_allows(tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    with path.open("wb") as file:
        file.truncate(onnx_file.PROTOBUF_LIMIT + 1)  # sparse: takes no space
    found = refused(path)
    assert found.code == "EK107"
    assert found.help == "store the weights as external data"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = written(tmp_path, relu().SerializeToString())
    path.chmod(0)
    assert refused(path).code == "EK101"


def test_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    found = refused(tmp_path / "pipe.onnx")  # must not wait for a writer
    assert found.code == "EK102"
    assert "not a regular file" in found.message


def test_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.onnx").symlink_to("loop.onnx")
    assert refused(tmp_path / "loop.onnx").code == "EK101"


def test_name_with_nul() -> None:
    assert refused("a\0b.onnx").code == "EK101"


@pytest.mark.parametrize(
    ("opset", "code"), [(1, "EK108"), (6, "EK108"), (onnx.defs.onnx_opset_version() + 1, "EK108")]
)
def test_opset_out_of_range(opset: int, code: str) -> None:
    proto = relu()
    proto.opset_import[0].version = opset
    assert refused(proto).code == code


@pytest.mark.parametrize("opset", [7, 13, onnx.defs.onnx_opset_version()])
def test_opset_in_range(opset: int) -> None:
    proto = relu()
    proto.opset_import[0].version = opset
    assert load(proto).opset == opset


def test_newer_ir_version_than_the_package_reads() -> None:
    proto = relu()
    proto.ir_version = onnx.IR_VERSION + 1
    assert refused(proto).code == "EK108"


def test_no_ir_version() -> None:
    proto = relu()
    proto.ClearField("ir_version")
    assert refused(proto).code == "EK104"


def test_no_opset() -> None:
    proto = relu()
    proto.ClearField("opset_import")
    found = refused(proto)
    assert found.code == "EK104"
    assert "which opset" in found.message


def test_domain_under_its_other_name_is_the_default() -> None:
    proto = relu()
    proto.opset_import[0].domain = "ai.onnx"
    proto.graph.node[0].domain = "ai.onnx"
    model = load(proto)
    assert model.ir.opset_imports == {"": 17}
    assert next(iter(model.ir.graph)).domain == ""


def test_old_ir_version_lists_initializers_as_inputs() -> None:
    proto = onnx.parser.parse_model("""
        <ir_version: 3, opset_import: ["" : 7]>
        net (float[4] x, float[4] w) => (float[4] y) <float[4] w = {1, 2, 3, 4}> { y = Add(x, w) }
    """)
    model = load(proto)
    assert [s.name for s in model.inputs] == ["x"]
    assert [v.name for v in model.ir.graph.inputs] == ["x"]
    assert model.ir.ir_version >= 4
    assert model.diagnostics == ()
    onnx.checker.check_model(model.to_proto())


def test_default_of_an_input_becomes_a_constant_and_is_noted() -> None:
    proto = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[4] x, float[4] w) => (float[4] y) <float[4] w = {1, 2, 3, 4}> { y = Add(x, w) }
    """)
    model = load(proto)
    assert [v.name for v in model.ir.graph.inputs] == ["x"]
    assert [(str(d.severity), d.code) for d in model.diagnostics] == [("note", "EK115")]


def test_custom_domain_is_kept_and_reported() -> None:
    proto = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "my.ops" : 1]>
        net (float[4] x) => (float[4] y) { a = my.ops.Blur(x) b = my.ops.Blur(a) y = Relu(b) }
    """)
    model = load(proto)
    assert [n.domain for n in model.ir.graph] == ["my.ops", "my.ops", ""]
    (found,) = model.diagnostics
    assert (found.code, str(found.severity)) == ("EK109", "warning")
    assert found.where.nodes == ("Blur_0", "Blur_1")


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    proto = relu()
    proto.graph.node[0].name = "QQQQ"
    data = proto.SerializeToString().replace(b"QQQQ", b"Q\xff\xfeQ")
    found = refused(written(tmp_path, data))
    assert found.code == "EK103"
    assert "not UTF-8" in found.message


def test_message_shows_control_characters_escaped() -> None:
    proto = relu()
    proto.graph.node[0].input[0] = "\x1b[31mred"
    assert "\x1b" not in refused(proto).message
