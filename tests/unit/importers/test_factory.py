"""`package.module:factory`: what the user's code does wrong is reported at the user's line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import load

MODULE = '''
import onnx.parser

def net():
    return onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        net (float[4] x) => (float[4] y) { y = Relu(x) }""")

class Zoo:
    @staticmethod
    def small():
        return net()

def broken():
    return {}["no such key"]

def nothing():
    return None

number = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_models.py").write_text(MODULE)
    (tmp_path / "my_broken.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    return "my_models"


def refused(spec: str) -> Diagnostic:
    with pytest.raises(EdgekitError) as failure:
        load(spec)
    return failure.value.diagnostics[0]


def test_factory_in_the_current_folder(module: str) -> None:
    path = list(sys.path)
    assert [s.name for s in load(f"{module}:net").inputs] == ["x"]
    assert [s.name for s in load(f"{module}:Zoo.small").inputs] == ["x"]
    assert sys.path == path


def test_factory_that_raises_is_located(module: str, tmp_path: Path) -> None:
    found = refused(f"{module}:broken")
    assert found.code == "EK110"
    assert found.where.file == str(tmp_path / "my_models.py")
    assert found.where.line == 14
    assert "KeyError: 'no such key'" in found.notes


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ("no_such_module:net", "EK110", "`no_such_module` cannot be imported"),
        ("my_broken:net", "EK110", "`my_broken` cannot be imported"),
        ("my_models:absent", "EK110", "has no `absent`"),
        ("my_models:number", "EK110", "is not a function"),
        ("my_models:nothing", "EK102", "`builtins.NoneType`"),
    ],
)
def test_factory_that_cannot_be_called(module: str, spec: str, code: str, message: str) -> None:
    found = refused(spec)
    assert found.code == code
    assert message in found.message


def test_file_of_that_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b").write_bytes(b"x")
    assert refused("a:b").code == "EK102"
