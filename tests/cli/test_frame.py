"""What all commands share: help, wrong use, formats, configuration, colours, exit codes."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import jsonschema
import pytest

from edgekit.cli.convert import BACKENDS, IO_LAYOUTS
from edgekit.cli.frame import COLORS, PRINTED
from edgekit.cli.main import COMMANDS, cli
from edgekit.config.schema import Convert, Settings
from edgekit.report import json as json_format

Run = Callable[..., Any]
Snapshot = Callable[[Any], None]


def command_of(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def test_help(run: Run, snapshot: Snapshot) -> None:
    snapshot(run("--help"))


def test_no_arguments_show_the_help(run: Run) -> None:
    assert run().stdout == run("-h").stdout
    assert run().code == 0


def test_help_of_convert(run: Run, snapshot: Snapshot) -> None:
    snapshot(run("convert", "--help"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_help_says(name: str) -> None:
    command = command_of(name)
    assert command.help is not None
    first = " ".join(command.help.split())
    assert first.startswith(COMMANDS[name].removesuffix("."))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_eighty_columns_and_has_no_section_for_programmers(run: Run, name: str) -> None:
    shown = run(name, "--help").stdout
    assert max(map(len, shown.split("\n"))) <= 80
    assert "Args:" not in shown
    assert "console" not in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_common_options(name: str) -> None:
    wanted = {"--format", "--json", "--html", "-q", "--quiet", "-v", "--verbose", "--color", "-o", "--output"}
    command = command_of(name)
    inner = _commands_in(command) if isinstance(command, click.Group) else [command]
    for one in inner:
        assert wanted <= {text for p in one.params for text in p.opts}, one.name


def _commands_in(group: click.Group) -> list[click.Command]:
    """The commands of a group; `schema` writes a document of its own kind and has no report."""
    context = click.Context(group)
    names = [name for name in group.list_commands(context) if name != "schema"]
    return [command for name in names if (command := group.get_command(context, name)) is not None]


def test_the_version_is_on_stdout(run: Run) -> None:
    outcome = run("--version")
    assert (outcome.code, outcome.stdout.split()[0], outcome.stderr) == (0, "edgekit", "")


def test_unknown_command(run: Run, snapshot: Snapshot) -> None:
    snapshot(run("convrt", "model.onnx"))


def test_unknown_option(run: Run, snapshot: Snapshot) -> None:
    snapshot(run("convert", "model.onnx", "--opsets", "17"))


def test_missing_argument(run: Run, snapshot: Snapshot) -> None:
    snapshot(run("convert"))


def test_value_that_is_not_allowed(run: Run, snapshot: Snapshot) -> None:
    snapshot(run("convert", "model.onnx", "--backend", "coreml"))


def test_missing_file(run: Run, snapshot: Snapshot, model: Path) -> None:
    snapshot(run("inspect", "smal.onnx"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "EK999"),
        ("convert", "missing.onnx"),
        ("convert", "x.onnx", "--backend", "coreml"),
        ("run", "missing"),
        ("report", "missing.json"),
        ("nothing",),
    ],
)
def test_errors_in_json_fit_the_schema_too(run: Run, arguments: tuple[str, ...]) -> None:
    outcome = run(*arguments, "--json")
    document = json.loads(outcome.stdout)
    jsonschema.validate(document, json_format.schema())
    assert outcome.stderr == ""
    assert document["verdict"]["exit_code"] == outcome.code == 2
    assert [d["severity"] for d in document["diagnostics"]] == ["error"]


@pytest.mark.parametrize("format", PRINTED)
def test_a_format_is_the_only_thing_on_stdout(run: Run, model: Path, format: str) -> None:
    outcome = run("inspect", model, "--format", format)
    assert outcome.code == 0
    assert outcome.stderr == ""
    assert outcome.stdout.endswith("\n")
    if format in ("json", "sarif"):
        json.loads(outcome.stdout)


def test_quiet_leaves_the_verdict(run: Run, model: Path) -> None:
    outcome = run("inspect", model, "-q")
    assert outcome.stdout == "ok: `small` has 3 nodes and 109 parameters\n"


def test_output_goes_to_a_file_whole(run: Run, model: Path, tmp_path: Path) -> None:
    outcome = run("inspect", model, "--json", "-o", "new/folder/report.json")
    assert outcome.stdout == "ok: `small` has 3 nodes and 109 parameters\n"
    document = json.loads((tmp_path / "new" / "folder" / "report.json").read_text())
    assert document["command"] == "inspect"
    assert [p.name for p in (tmp_path / "new" / "folder").iterdir()] == ["report.json"]


def test_an_html_report_is_also_written_for_a_failure(run: Run, tmp_path: Path) -> None:
    outcome = run("convert", "missing.onnx", "--html", "report.html")
    assert outcome.code == 2
    assert "missing.onnx" in (tmp_path / "report.html").read_text()


def test_a_report_that_cannot_be_written_is_an_error(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    outcome = run("inspect", model, "--html", "folder.html/")
    assert outcome.code == 2
    (tmp_path / "file").write_text("")
    outcome = run("inspect", model, "--html", "file/report.html")
    assert outcome.code == 2
    assert "EK506" in outcome.stderr
    assert outcome.stdout.rstrip("\n").split("\n")[-1].startswith("error: ")


@pytest.mark.parametrize(("option", "shown"), [((), False), (("-v",), True)])
def test_words_of_libraries_are_a_log(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], shown: bool
) -> None:
    import edgekit.api

    real = edgekit.api.load

    def talkative(*arguments: Any, **options: Any) -> Any:
        logging.getLogger("acme").warning("a word of a library")
        warnings.warn("and a warning", stacklevel=1)
        return real(*arguments, **options)

    monkeypatch.setattr(edgekit.api, "load", talkative)
    outcome = run("inspect", model, *option)
    assert ("acme: a word of a library" in outcome.stderr) is shown
    assert ("and a warning" in outcome.stderr) is shown
    assert outcome.code == 0


class TestColour:
    def test_never_on_a_pipe_always_when_asked(self, run: Run, model: Path) -> None:
        assert "\x1b" not in run("inspect", model).stdout
        assert "\x1b[" in run("inspect", model, "--color", "always").stdout
        assert "\x1b[" in run("inspect", "missing.onnx", "--color", "always").stderr

    def test_what_the_user_says_wins_over_no_color(
        self, run: Run, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[" in run("inspect", model, "--color", "always").stdout


class TestConfiguration:
    def test_the_order_is_line_variable_file_default(
        self, run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def kind(*arguments: str) -> str:
            return run("inspect", model, *arguments).stdout[:2]

        assert kind() == "Mo"
        (tmp_path / "edgekit.toml").write_text('format = "json"\n')
        assert kind() == "{\n"
        monkeypatch.setenv("EDGEKIT_FORMAT", "md")
        assert kind() == "##"
        assert kind("--format", "junit") == "<?"

    def test_an_option_of_a_command_from_the_file_and_from_a_variable(
        self, run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "edgekit.toml").write_text('[convert]\ninputs = "nowhere.npz"\n')
        assert "nowhere.npz" in run("convert", model).stderr
        monkeypatch.setenv("EDGEKIT_CONVERT_BACKEND", "hls")
        assert "EDGEKIT_CONVERT_BACKEND" in run("convert", model).stderr

    def test_configuration_with_a_mistake(
        self, run: Run, snapshot: Snapshot, model: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "edgekit.toml").write_text('[convert]\nbakend = "onnx"\nopset = "17"\n')
        snapshot(run("convert", model))

    def test_help_and_explain_work_with_a_mistake(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "edgekit.toml").write_text("nonsense = 1\n")
        assert run("convert", "--help").code == 0
        outcome = run("explain", "EK202")
        assert outcome.code == 0
        assert "warning[EK202]: there is no setting `nonsense`" in outcome.stderr

    def test_a_variable_cannot_let_files_run_code(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Not for every later command of a shell: this is asked for each time."""
        for name in ("convert", "inspect"):
            [option] = [p for p in command_of(name).params if p.name == "allow_pickle"]
            assert isinstance(option, click.Option)
            assert option.resolve_envvar_value(click.Context(command_of(name))) is None
            assert option.allow_from_autoenv is False

    def test_the_schema_of_the_file_and_the_options_agree(self) -> None:
        def words(model: type, name: str) -> tuple[str, ...]:
            return get_args(get_args(model.model_fields[name].annotation)[0])  # type: ignore[attr-defined]

        assert words(Convert, "backend") == BACKENDS
        assert words(Convert, "io_layout") == IO_LAYOUTS
        assert words(Settings, "format") == PRINTED
        assert words(Settings, "color") == COLORS
        options = {p.name for p in command_of("convert").params}
        assert set(Convert.model_fields) <= options


class TestBug:
    @pytest.fixture(autouse=True)
    def bug(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        import edgekit.api

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("conv_7\nsecond line")

        monkeypatch.setattr(edgekit.api, "load", broken)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
        (tmp_path / "temp").mkdir()
        return tmp_path / "temp"

    def test_a_bug_leaves_a_report_and_no_traceback(self, run: Run, bug: Path, model: Path) -> None:
        outcome = run("inspect", model)
        assert outcome.code == 3
        assert "error[EK901]: RuntimeError: conv_7" in outcome.stderr
        assert "Traceback" not in outcome.stdout + outcome.stderr
        [report] = bug.iterdir()
        assert str(report) in outcome.stderr
        written = report.read_text()
        assert "RuntimeError: conv_7" in written
        assert "arguments: ['inspect', 'small.onnx']" in written

    def test_a_bug_in_the_format_that_was_asked_for(self, run: Run, model: Path) -> None:
        document = json.loads(run("inspect", model, "--json").stdout)
        jsonschema.validate(document, json_format.schema())
        assert [d["code"] for d in document["diagnostics"]] == ["EK901"]

    def test_without_a_place_to_write_the_traceback_is_shown(
        self, run: Run, bug: Path, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(bug / "gone"))
        outcome = run("inspect", model)
        assert outcome.code == 3
        assert "could not be written" in outcome.stderr
        assert "RuntimeError: conv_7" in outcome.stderr
