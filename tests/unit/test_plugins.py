"""Plugins, with real distributions on the path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgekit import plugins
from edgekit.diagnostics import EdgekitError

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Returns a function that puts a distribution with one plugin on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.load_all.cache_clear()

    def make(distribution: str, module: str, code: str, name: str = "acme", version: str = "1.0") -> None:
        info = tmp_path / f"{distribution}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{name} = {module}\n")
        (tmp_path / f"{module}.py").write_text(code)
        monkeypatch.delitem(sys.modules, module, raising=False)
        importlib.invalidate_caches()

    yield make
    plugins.load_all.cache_clear()


def test_loading_the_entry_point_is_the_registration(install: Install) -> None:
    install("acme", "acme_edgekit", "LOADED = []\nLOADED.append(1)\n")
    assert plugins.installed() == (plugins.Plugin("acme", "acme_edgekit", "acme 1.0"),)
    assert "acme_edgekit" not in sys.modules
    plugins.load_all()
    plugins.load_all()
    assert sys.modules["acme_edgekit"].LOADED == [1]


def test_two_plugins_of_one_name_are_an_error_that_names_both(install: Install) -> None:
    install("acme", "acme_one", "")
    install("other", "acme_two", "", version="2.0")
    with pytest.raises(EdgekitError) as caught:
        plugins.load_all()
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "EK201"
    assert set(diagnostic.notes) == {"`acme_one` of acme 1.0", "`acme_two` of other 2.0"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import acme_core_that_is_missing", "ModuleNotFoundError"),
        ("raise RuntimeError('no\\nway')", "RuntimeError: no"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_plugin_that_does_not_load_ends_the_work(install: Install, code: str, reason: str) -> None:
    install("acme", "acme_broken", code)
    with pytest.raises(EdgekitError) as caught:
        plugins.load_all()
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "EK203"
    assert reason in diagnostic.message
    assert "acme" in (diagnostic.help or "")


def test_a_clash_inside_a_plugin_keeps_its_own_diagnostic(install: Install) -> None:
    code = "from edgekit.diagnostics import error\nraise error('EK201', 'two importers register `.onnx`')\n"
    install("acme", "acme_clash", code)
    [plugin] = plugins.installed()
    [diagnostic] = plugins.failures(plugin)
    assert (diagnostic.code, diagnostic.message) == ("EK201", "two importers register `.onnx`")


def test_without_plugins_nothing_is_loaded() -> None:
    assert plugins.load_all() == plugins.installed()
