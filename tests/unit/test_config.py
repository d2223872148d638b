"""Configuration: where it is found, what wins, and how mistakes are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.config import find, load
from edgekit.config.load import line_of
from edgekit.diagnostics import EdgekitError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path) -> list[tuple[str, str, int | None, str | None]]:
    with pytest.raises(EdgekitError) as caught:
        load(folder)
    return [(d.code, d.message, d.where.line, d.help) for d in caught.value.diagnostics]


def test_without_a_file_there_are_no_settings(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert (config.path, config.defaults("convert")) == (None, {})


def test_settings_of_a_command_win_over_common_ones(tmp_path: Path) -> None:
    write(tmp_path / "edgekit.toml", 'color = "never"\n[convert]\nbackend = "onnx"\nopset = 17\n')
    config = load(tmp_path)
    assert config.defaults("convert") == {"color": "never", "backend": "onnx", "opset": 17}
    assert config.defaults("inspect") == {"color": "never"}


def test_the_nearest_file_upwards_holds(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", '[tool.edgekit]\nformat = "json"\n')
    below = write(tmp_path / "a" / "pyproject.toml", "[tool.other]\nx = 1\n").parent / "b"
    below.mkdir()
    assert load(below).settings == {"format": "json"}
    own = write(tmp_path / "a" / "edgekit.toml", 'format = "md"\n')
    assert load(below).path == own
    assert load(below).settings == {"format": "md"}


def test_a_file_of_its_own_wins_over_pyproject_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", '[tool.edgekit]\nformat = "json"\n')
    own = write(tmp_path / "edgekit.toml", "")
    assert find(tmp_path) == own


def test_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    write(tmp_path / "edgekit.toml", '[convert]\ninputs = "data/x.npz"\n')
    below = tmp_path / "deep" / "down"
    below.mkdir(parents=True)
    assert load(below).defaults("convert") == {"inputs": str(tmp_path / "data" / "x.npz")}


def test_an_unknown_setting_is_an_error_at_its_line(tmp_path: Path) -> None:
    write(tmp_path / "edgekit.toml", '# mine\nformat = "json"\n\n[convert]\nbakend = "onnx"\n')
    assert problems(tmp_path) == [
        ("EK202", "there is no setting `convert.bakend`", 5, "did you mean `backend`?")
    ]


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    text = '[tool.edgekit]\ncolour = "never"\n[tool.edgekit.convert]\nbackend = "hls"\nopset = "17"\n'
    write(tmp_path / "pyproject.toml", text)
    found = problems(tmp_path)
    assert [(code, line) for code, _, line, _ in found] == [("EK202", 2), ("EK202", 4), ("EK202", 5)]
    assert "`tflite`, `onnx`, `coreml` or `tvm`" in found[1][1]


@pytest.mark.parametrize("setting", ["allow_pickle = true", "fp16 = 1", "opset = 3", "tolerance = -1.0"])
def test_what_a_file_must_not_say(tmp_path: Path, setting: str) -> None:
    """A project that was cloned must not be able to let files run code; types are not bent."""
    write(tmp_path / "edgekit.toml", f"[convert]\n{setting}\n")
    [(code, _, line, _)] = problems(tmp_path)
    assert (code, line) == ("EK202", 2)


def test_broken_toml_is_an_error_at_its_line(tmp_path: Path) -> None:
    write(tmp_path / "edgekit.toml", "format = \n")
    [(code, message, line, _)] = problems(tmp_path)
    assert (code, line) == ("EK202", 1)
    assert message.startswith("not valid TOML: ")


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_bytes(b"\xff\xfe\x00")
    [(code, message, _, _)] = problems(tmp_path)
    assert code == "EK202"
    assert "cannot be read" in message


def test_a_table_of_the_wrong_type_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool]\nedgekit = 3\n")
    [(code, _, line, _)] = problems(tmp_path)
    assert (code, line) == ("EK202", 2)


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        ("a = 1\nb = 2\n", ("b",), 2),
        ("[convert]\nopset = 1\n[other]\nopset = 2\n", ("other", "opset"), 4),
        ("convert.opset = 1\n", ("convert", "opset"), 1),
        ("convert = { opset = 1 }\n", ("convert", "opset"), 1),
        ('[ "convert" ]\n"opset" = 1\n', ("convert", "opset"), 2),
        ("# opset = 1\n[convert]\n", ("convert", "opset"), 2),
        ("", ("convert",), None),
    ],
)
def test_lines_of_keys(text: str, keys: tuple[str, ...], line: int | None) -> None:
    assert line_of(text, keys) == line
