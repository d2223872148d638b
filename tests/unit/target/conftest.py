"""Descriptors in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

BASE = """\
schema: edgekit.target/1
id: {id}
title: A chip
kind: asic
vendor: Somebody
dialect: tflite
toolchain: {{name: compiler, version: "1.0"}}
basis: stated
source: manual
sources:
  manual: {{title: Manual, version: "1", where: "https://example.com"}}
fallback: cpu
unlisted: fallback
ops:
  ADD:
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a descriptor: the base with the given text behind it, or the text alone."""

    def make(id_: str, more: str = "", *, base: bool = True) -> Path:
        path = tmp_path / f"{id_}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((BASE.format(id=path.stem) if base else "") + more, encoding="utf-8")
        return path

    return make
