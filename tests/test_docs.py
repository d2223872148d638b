"""The README's blocks run and print what they show, up to numbers, hashes, versions and paths."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)


@dataclass(frozen=True)
class Block:
    language: str
    text: str


def blocks() -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall((ROOT / "README.md").read_text())]


def normal(text: str) -> list[str]:
    """Keeps the words: widths, numbers and line breaks differ between machines."""
    text = re.sub(r"\S*/(?=acme_net)", "", text)
    text = re.sub(r"[0-9a-f]{64}", "HASH", text)
    text = re.sub(r"-?\d[\d.,]*(e[+-]?\d+)?\+?", "N", text)
    return [word for word in text.split() if set(word) - set("|=")]


def run(command: str, folder: Path) -> str:
    """Runs a command line of the README; the exit code follows the output when it is not 0."""
    program, *arguments = shlex.split(command)
    assert program == "edgekit"
    launcher = [sys.executable, "-c", "from edgekit.cli.main import main; main()"]
    env = {**os.environ, "COLUMNS": "100"}  # the width that the README was printed at
    done = subprocess.run(
        [*launcher, *arguments], cwd=folder, capture_output=True, text=True, check=False, env=env
    )
    ending = f"[exit {done.returncode}]" if done.returncode else ""
    assert "Traceback" not in done.stderr
    return done.stdout + ("" if done.returncode == 0 else done.stderr) + ending


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "golden").symlink_to(ROOT / "golden")
    for block in blocks():
        named = re.match(r"# (\w+\.py)\n", block.text)
        if block.language == "python" and named:
            (tmp_path / named[1]).write_text(block.text)
    return tmp_path


def test_console_blocks_print_what_they_show(folder: Path) -> None:
    shown = [b.text for b in blocks() if b.language == "console"]
    assert len(shown) >= 3
    for text in shown:
        command, _, expected = text.partition("\n")
        if "acme_net" in command and importlib.util.find_spec("torch") is None:
            continue  # the last block; the test below states the skip
        assert sorted(normal(run(command.removeprefix("$ "), folder))) == sorted(normal(expected)), command


@pytest.mark.torch
def test_readme_shows_the_line_of_a_pytorch_model(folder: Path) -> None:
    pytest.importorskip("torch", reason="needs the torch extra")
    printed = run("edgekit convert acme_net:make -o acme", folder)
    assert "EK303" in printed
    assert "acme_net.py:7 in `head`" in printed
    assert printed.endswith("[exit 1]")


def test_python_blocks_run(folder: Path) -> None:
    code = [b.text for b in blocks() if b.language == "python" and not b.text.startswith("# ")]
    assert code
    for text in code:
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_links_of_the_readme_exist() -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []
