"""PyTorch files: what would run code is refused, the rest is loaded."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import load, pt2_archive
from edgekit.ir import origin_of

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("onnxscript", reason="needs the torch extra")
nn = torch.nn


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):  # type: ignore[no-untyped-def]
        return self.fc(x.reshape(-1, 4))


class Touch:
    """Pickles into a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def refused(source: object, **options: object) -> Diagnostic:
    with pytest.raises(EdgekitError) as failure:
        load(source, **options)  # type: ignore[arg-type]
    return failure.value.diagnostics[0]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pt2") / "small.pt2"
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        Small().eval(), (torch.ones(6, 4),), dynamic_shapes=({0: batch},), strict=False
    )
    torch.export.save(program, path)
    return path


Change = Callable[[str, bytes], bytes]


def changed(archive: Path, folder: Path, change: Change, extra: dict[str, bytes] | None = None) -> Path:
    """Copies an archive record by record."""
    path = folder / "changed.pt2"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, data in (extra or {}).items():
            new.writestr(name, data)
    return path


def edit_json(part: str, edit: Callable[[Any], None]) -> Change:
    def change(name: str, data: bytes) -> bytes:
        if part not in name:
            return data
        content = json.loads(data)
        edit(content)
        return json.dumps(content).encode()

    return change


def keep(name: str, data: bytes) -> bytes:
    return data


def test_exported_program_and_its_archive(archive: Path) -> None:
    model = load(archive)
    assert model.source == "torch"
    assert [s.name for s in model.inputs] == ["x"]
    origins = [origin_of(n) for n in model.ir.graph]
    assert origins[-1].scope == "fc"
    assert origins[-1].file == str(Path(__file__))
    live = load(torch.export.load(archive))
    assert [n.op_type for n in live.ir.graph] == [n.op_type for n in model.ir.graph]


def test_copy_of_the_archive_loads(archive: Path, tmp_path: Path) -> None:
    assert load(changed(archive, tmp_path, keep)).inputs[0].name == "x"


def test_inputs_for_an_archive_have_no_meaning(archive: Path) -> None:
    assert refused(archive, example_inputs=(torch.ones(6, 4),)).code == "EK202"


def test_sample_inputs_that_run_code(archive: Path, tmp_path: Path) -> None:
    """PyTorch itself falls back to the unsafe loader for this record."""
    mark = tmp_path / "mark"

    def poison(name: str, data: bytes) -> bytes:
        return pickle.dumps(Touch(mark)) if name.endswith("sample_inputs/model.pt") else data

    path = changed(archive, tmp_path, poison)
    found = refused(path)
    assert found.code == "EK111"
    assert not mark.exists()
    assert "pickle of more than tensors" in found.notes[0]
    refused(path, allow_pickle=True)
    assert mark.exists()  # the danger is real


def set_everywhere(key: str, value: object) -> Callable[[Any], None]:
    def edit(content: Any) -> None:
        todo = [content]
        while todo:
            current = todo.pop()
            if isinstance(current, dict):
                if key in current:
                    current[key] = value
                todo.extend(current.values())
            elif isinstance(current, list):
                todo.extend(current)

    return edit


@pytest.mark.parametrize(
    ("part", "key", "value", "note"),
    [
        ("weights_config", "use_pickle", True, "is a pickle"),
        ("weights_config", "path_name", "custom_obj_0", "`custom_obj_0` is a pickle"),
        ("models/model.json", "target", "torch.os.system", "the graph calls `torch.os.system`"),
        ("models/model.json", "target", "_operator.methodcaller", "the graph calls `_operator.methodcaller`"),
        ("models/model.json", "target", "torch.ops.load_library", "the graph calls `torch.ops.load_library`"),
        ("models/model.json", "target", "torch.ops.aten.__class__", "the graph calls"),
        ("models/model.json", "expr_str", "__import__('os').getcwd()", "a size is the expression"),
    ],
)
def test_part_that_would_run_code(
    archive: Path, tmp_path: Path, part: str, key: str, value: object, note: str
) -> None:
    found = refused(changed(archive, tmp_path, edit_json(part, set_everywhere(key, value))))
    assert found.code == "EK111"
    assert any(note in n for n in found.notes)


def test_compiled_library(archive: Path, tmp_path: Path) -> None:
    path = changed(archive, tmp_path, keep, {"small/data/aotinductor/model/x.so": b"\x7fELF"})
    found = refused(path)
    assert found.code == "EK111"
    assert "compiled library" in found.notes[0]


def test_archive_from_before_the_format(tmp_path: Path) -> None:
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("old/version", "8.1")
        file.writestr("old/serialized_state_dict.pt", pickle.dumps(Touch(tmp_path / "mark")))
    assert refused(path).code == "EK111"
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Mul(Integer(2), Symbol('s0', positive=True, integer=True))", True),
        ("Symbol('s77', integer=True)", True),
        ("2*s0 + 1", True),
        ("FloorDiv(Symbol('s0'), Integer(2))", True),
        ("-int_oo", True),
        ("__import__('os')", False),
        ("exec('x')", False),
        ("Symbol.__class__", False),
        ("(lambda: 1)()", False),
        ("[1 for x in (1,)]", False),
        ("Integer('1)); print(1')", False),
        ("9**9**9", False),
        ("Pow(Integer(9), Pow(Integer(9), Integer(99)))", False),
        ("(" * 10_000, False),
        ("", False),
    ],
)
def test_expressions_of_sizes(text: str, plain: bool) -> None:
    assert pt2_archive.is_plain_expression(text) is plain


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"PK\x03\x04" + bytes(100)])
@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".pth"])
def test_damaged_file(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(data)
    assert refused(path).code in ("EK102", "EK103", "EK111")


def test_truncated_archive(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pt2"
    path.write_bytes(archive.read_bytes()[:-200])
    assert refused(path).code in ("EK102", "EK103")


def test_pickle_is_not_run_without_the_flag(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save(Touch(tmp_path / "mark"), path)
    found = refused(path)
    assert found.code == "EK111"
    assert not (tmp_path / "mark").exists()


def test_pickled_module_with_the_flag(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), path)
    assert refused(path).code == "EK111"
    model = load(path, allow_pickle=True, example_inputs=torch.ones(1, 4))
    assert [n.op_type for n in model.ir.graph] == ["Gemm", "Relu"]
    assert model.sha256 is not None


def test_weights_only(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save(Small().state_dict(), path)
    found = refused(path)
    assert found.code == "EK110"
    assert "only weights" in found.message
    assert found.help is not None
    assert "factory" in found.help


def test_torchscript(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.jit.save(torch.jit.trace(nn.Linear(4, 2), torch.ones(1, 4)), path)
    found = refused(path)
    assert found.code == "EK110"
    assert "TorchScript" in found.message
