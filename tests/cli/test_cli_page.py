"""`docs/cli.md` says what is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from edgekit.cli.console import PRINTED
from edgekit.config.schema import Convert, Settings
from edgekit.diagnostics import ExitCode

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_formats_are_those_that_exist() -> None:
    table = TEXT.split("| `--format` |")[1].split("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.M)) == PRINTED


def test_the_exit_codes_are_those_that_exist() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d) \|", TEXT, re.M)] == list(ExitCode)


def test_the_example_is_valid_and_has_every_setting() -> None:
    settings = tomllib.loads(re.findall(r"```toml\n(.*?)```", TEXT, re.S)[0])
    Settings.model_validate(settings)
    assert set(settings) == set(Settings.model_fields)
    assert set(settings["convert"]) == set(Convert.model_fields)


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target
