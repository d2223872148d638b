"""`convert` and `run`, with real conversions and real runtimes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import save_file

import edgekit
import edgekit.api
import edgekit.runners
from edgekit.artifact import Delta, Divergence, Evidence, Status, Verification
from edgekit.artifact import Verdict as Known
from edgekit.cli import quantize_flags
from edgekit.consistency.data import preprocess
from edgekit.ir import Origin
from edgekit.quantize import METHODS, SCHEMES
from edgekit.report import json as json_format
from edgekit.runners import runner_for

Run = Callable[..., Any]
Snapshot = Callable[[Any], None]


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((1, 3, 8, 8), dtype=np.float32)


def expected(x: np.ndarray) -> np.ndarray:
    """What `small.onnx` computes, in plain numpy."""
    weights = np.linspace(-1, 1, 108, dtype=np.float32).reshape(4, 3, 3, 3)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.maximum(np.einsum("nchwij,mcij->nmhw", windows, weights), 0) * np.float32(0.5)


def test_a_flag_of_another_backend_is_a_usage_error(run: Run, model: Path) -> None:
    outcome = run("convert", model, "--triple", "aarch64-linux-gnu", "--mcpu", "cortex-a72")
    assert outcome.code == 2
    assert "`--triple` belongs to `--backend tvm`, not to `tflite`" in " ".join(outcome.stderr.split())


@pytest.mark.parametrize("backend", ["tflite", "onnx"])
def test_convert_run_inspect_and_report(run: Run, model: Path, tmp_path: Path, backend: str) -> None:
    """The whole way of a user, on each backend."""
    outcome = run("convert", model, "--backend", backend, "--html", "page.html")
    assert outcome.code == 0, outcome.stderr
    lines = outcome.stdout.rstrip("\n").split("\n")
    assert lines[-1].startswith(f"ok: `small.{backend}` is verified, 1 of 1 outputs agree")
    folder = tmp_path / f"small-{backend}"
    assert {p.name for p in folder.iterdir()} == {f"small.{backend}", "manifest.json", "report.json"}
    document = json.loads((folder / "report.json").read_text())
    jsonschema.validate(document, json_format.schema())
    [check] = document["checks"]
    assert (check["name"], check["status"], check["evidence"]) == ("y", "pass", "executed")
    assert "All checks pass" in (tmp_path / "page.html").read_text()

    np.save("x.npy", image())
    outcome = run("run", folder, "-i", "x=x.npy", "-o", "results/y.npz")
    assert outcome.code == 0, outcome.stderr
    with np.load("results/y.npz") as saved:
        np.testing.assert_allclose(saved["y"], expected(image()), atol=1e-4)
    assert "[1, 4, 8, 8]" in outcome.stdout

    outcome = run("inspect", folder)
    assert outcome.code == 0
    assert "ok by its manifest" in outcome.stdout

    outcome = run("report", folder, "--format", "junit")
    assert outcome.code == 0
    assert 'tests="1" failures="0"' in outcome.stdout


def test_convert_prints(run: Run, snapshot: Snapshot, model: Path) -> None:
    snapshot(run("convert", model, "-o", "out"))


def test_convert_prints_everything_when_asked(run: Run, model: Path) -> None:
    outcome = run("convert", model, "-o", "out", "--backend", "onnx", "-v")
    titles = [line for line in outcome.stdout.split("\n") if line[:1].isupper()]
    assert titles == [
        *("Conversion", "Outputs compared with the source", "Ops of the artifact", "Files"),
        *("Passes", "Source nodes", "Inputs and outputs", "Recipe"),
    ]
    assert outcome.stderr.split() == ["import", "simplify", "lower", "verify", "write"]


def test_convert_refuses_an_op(run: Run, snapshot: Snapshot, custom_model: Path, tmp_path: Path) -> None:
    snapshot(run("convert", custom_model, "-o", "out"))
    assert not (tmp_path / "out").exists()


def test_without_verification_nothing_is_claimed(run: Run, model: Path, tmp_path: Path) -> None:
    outcome = run("convert", model, "-o", "out", "--backend", "onnx", "--no-verify")
    assert outcome.code == 0
    assert outcome.stdout.rstrip("\n").split("\n")[-1].startswith("unverified: `small.onnx` is not verified")
    artifact = edgekit.open(tmp_path / "out")
    assert artifact.verification is not None
    assert artifact.verification.verdict is Known.UNVERIFIED


class TestMismatch:
    @pytest.fixture(autouse=True)
    def wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The conversion is real, its verdict is not."""
        delta = Delta(
            *("y", Status.DIFFER, "float32", 256, 9, 0.5, -1.0, 1.0, 1e-4, 10.0, 0.9, 0, (0, 1, 2, 3)),
            reason="9 of 256 elements lie beyond the limit",
        )
        first = Divergence("r", "Relu", Origin(("relu",), "body.act"), delta)
        bad = Verification(
            Known.MISMATCH, Evidence.EXECUTED, "onnxruntime 1", "litert 2", (delta,), 4, "generated", 0, first
        )
        real = edgekit.api.convert

        def convert(*arguments: Any, **options: Any) -> Any:
            artifact = real(*arguments, **{**options, "verify": False})
            return replace(artifact, verification=bad)

        monkeypatch.setattr(edgekit.api, "convert", convert)

    def test_it_is_an_error_that_names_the_first_node(
        self, run: Run, snapshot: Snapshot, model: Path
    ) -> None:
        snapshot(run("convert", model, "-o", "out", "--backend", "onnx"))

    def test_the_artifact_is_kept_aside(self, run: Run, model: Path, tmp_path: Path) -> None:
        outcome = run("convert", model, "-o", "out", "--backend", "onnx")
        assert outcome.code == 1
        assert not (tmp_path / "out").exists()
        assert edgekit.open(tmp_path / "out.mismatch").verification is not None
        document = json.loads((tmp_path / "out.mismatch" / "report.json").read_text())
        assert document["verdict"]["status"] == "failed"
        assert run("report", "out.mismatch").code == 1


def test_a_verdict_that_was_wanted_and_could_not_be_had_exits_with_5(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = edgekit.api.convert

    def convert(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **{**options, "verify": False})

    monkeypatch.setattr(edgekit.api, "convert", convert)
    outcome = run("convert", model, "-o", "out", "--backend", "onnx")
    assert outcome.code == 5
    assert "error[EK602]" in outcome.stderr


def test_a_folder_of_the_user_is_never_replaced(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    outcome = run("convert", model, "-o", "mine", "--backend", "onnx", "--no-verify")
    assert outcome.code == 2
    assert "EK506" in outcome.stderr
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_artifact_is_replaced_by_its_next_version(run: Run, model: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert run("convert", model, "-o", "out", "--backend", "onnx", "--no-verify").code == 0
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_labels_must_be_text(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.bin").write_bytes(b"\xff\xfe\x00")
    outcome = run("convert", model, "--label-file", "labels.bin")
    assert (outcome.code, outcome.stderr.split(":")[0]) == (2, "error[EK102]")
    outcome = run("convert", model, "--label-file", "gone.txt")
    assert (outcome.code, outcome.stderr.split(":")[0]) == (2, "error[EK101]")


class TestRun:
    """On a bare `.onnx` file, which needs no conversion."""

    @pytest.fixture(autouse=True)
    def in_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Starting a process for each case would take most of the time; the tests above do so."""
        monkeypatch.setattr(edgekit.runners, "runner_for", partial(runner_for, isolate=False))

    def test_outputs_are_printed(self, run: Run, snapshot: Snapshot, model: Path) -> None:
        np.save("x.npy", np.ones((1, 3, 8, 8), np.float32))
        snapshot(run("run", model, "-i", "x.npy"))

    @pytest.mark.parametrize("kind", ["npy", "npz", "safetensors"])
    @pytest.mark.parametrize("prefix", ["x=", ""])
    def test_every_kind_of_file(self, run: Run, model: Path, kind: str, prefix: str) -> None:
        path = f"input.{kind}"
        if kind == "npy":
            np.save(path, image())
        elif kind == "npz":
            np.savez(path, x=image())
        else:
            save_file({"x": image()}, path)
        outcome = run("run", model, "-i", f"{prefix}{path}", "-o", "y.npz")
        assert outcome.code == 0, outcome.stderr
        with np.load("y.npz") as saved:
            np.testing.assert_allclose(saved["y"], expected(image()), atol=1e-4)

    def test_a_missing_input_is_named(self, run: Run, snapshot: Snapshot, model: Path) -> None:
        snapshot(run("run", model))

    def test_an_input_of_the_wrong_shape_and_dtype(self, run: Run, model: Path) -> None:
        np.save("x.npy", np.ones((1, 8, 8, 3)))
        outcome = run("run", model, "-i", "x=x.npy")
        assert outcome.code == 2
        assert "error[EK505]: the input `x` has dtype float64 instead of float32 and shape" in outcome.stderr

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (("-i", "x=gone.npy"), "EK101", "`gone.npy` does not exist"),
            (("-i", "y=one.npy"), "EK505", "no input `y`"),
            (("-i", "x=one.npy", "-i", "x=one.npy"), "EK505", "given twice"),
            (("-i", "x=two.npz"), "EK505", "holds no array `x`"),
            (("-i", "x=image.png"), "EK505", "is of no known kind"),
            (("-i", "x=broken.npy"), "EK505", "cannot be read"),
            (("-i", "x=one.npy", "-o", "y.csv"), "EK506", "no suffix of a known kind"),
        ],
    )
    def test_wrong_inputs(
        self, run: Run, model: Path, tmp_path: Path, arguments: tuple[str, ...], code: str, words: str
    ) -> None:
        np.save("one.npy", image())
        np.savez("two.npz", a=image(), b=image())
        (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00 nonsense")
        outcome = run("run", model, *arguments)
        assert outcome.code == 2
        assert outcome.stderr.startswith(f"error[{code}]")
        assert words in outcome.stderr.replace("\n  ", " ")

    def test_one_sample_of_many(self, run: Run, model: Path) -> None:
        np.savez("many.npz", x=np.concatenate([image(0), image(1), image(2)]))
        outcome = run("run", model, "-i", "many.npz", "--sample", "1", "-o", "y.npz")
        assert outcome.code == 0, outcome.stderr
        with np.load("y.npz") as saved:
            np.testing.assert_allclose(saved["y"], expected(image(1)), atol=1e-4)
        outcome = run("run", model, "-i", "many.npz", "--sample", "3")
        assert outcome.code == 2
        assert "there is no sample 3 in `x`" in outcome.stderr

    def test_pickled_arrays_are_refused(self, run: Run, model: Path) -> None:
        np.save("x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
        outcome = run("run", model, "-i", "x=x.npy")
        assert outcome.code == 2
        assert outcome.stderr.startswith("error[EK505]")

    @pytest.mark.parametrize("name", ["gone.onnx", "gone.tflite", "gone", "folder"])
    def test_what_is_no_artifact(self, run: Run, tmp_path: Path, name: str) -> None:
        (tmp_path / "folder").mkdir()
        outcome = run("run", name)
        assert outcome.code == 2
        assert outcome.stderr.startswith(("error[EK101]", "error[EK507]"))

    def test_the_output_folder_cannot_be_made(self, run: Run, model: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        np.save("x.npy", image())
        outcome = run("run", model, "-i", "x=x.npy", "-o", "file/y.npz")
        assert outcome.code == 2
        assert outcome.stderr.startswith("error[EK506]")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", "is not of the form"),
        ("x=1x", "is not of the form"),
        ("=1x2", "is not of the form"),
        ("x=1x3x8x8", "is given twice"),
    ],
)
def test_input_shapes_are_read_strictly(run: Run, model: Path, text: str, why: str) -> None:
    shapes = ["--input-shape", "x=1x3x8x8"] if "twice" in why else []
    outcome = run("convert", model, *shapes, "--input-shape", text)
    assert outcome.code == 2
    assert why in " ".join(outcome.stderr.split())


def test_an_input_shape_that_does_not_fit_names_the_input(run: Run, model: Path) -> None:
    outcome = run("convert", model, "--input-shape", "x=1x3x9x9")
    assert outcome.code == 2
    assert "`x` cannot have the shape 1x3x9x9" in " ".join(outcome.stderr.split())
    assert run("convert", model, "--input-shape", "x=1x3x8x8").code == 0


def test_core_ml_is_a_folder_inside_the_folder(run: Run, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
    outcome = run("convert", model, "--backend", "coreml", "--precision", "fp32", "-o", "out")
    assert outcome.code == 0, outcome.stderr
    assert "is verified, 1 of 1 outputs agree" in outcome.stdout
    assert (tmp_path / "out" / "small.mlpackage" / "Manifest.json").is_file()
    np.save("x.npy", image())
    outcome = run("run", "out", "-i", "x=x.npy", "-o", "y.npz")
    assert outcome.code == 0, outcome.stderr
    with np.load("y.npz") as saved:
        np.testing.assert_allclose(saved["y"], expected(image()), atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--precision", "fp32"), "`--precision` belongs to `--backend coreml`, not to `tflite`"),
        (("--backend", "coreml", "--fp16"), "`--fp16` belongs to `--backend onnx`, not to `coreml`"),
        (("--backend", "coreml", "--compress-weights", "prune:0.5:4"), "takes no such number"),
        (
            ("--backend", "coreml", "--minimum-deployment-target", "iOS9"),
            "`minimum_deployment_target` is `iOS9`",
        ),
        (("--backend", "coreml", "--keep-fp32", "nothing"), "neither an op nor a tensor"),
        (("--backend", "coreml", "--image-input", "x,size"), "`size` is not KEY=VALUE"),
        (("--backend", "coreml", "--flexible-shape", "x=1x0"), "is no shape like"),
        (("--backend", "coreml", "--state", "x"), "is not NAME=VALUE"),
    ],
)
def test_flags_of_one_backend(run: Run, model: Path, flags: tuple[str, ...], text: str) -> None:
    if "coreml" in flags:
        pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
    outcome = run("convert", model, *flags)
    assert outcome.code == 2
    assert text in outcome.stderr


def test_convert_quantises_with_a_scheme(run: Run, model: Path, tmp_path: Path) -> None:
    """The options are those of `quantize`, and have no meaning without a scheme."""
    np.savez("samples.npz", x=np.concatenate([image(i) for i in range(6)]))
    outcome = run("convert", model, "--scheme", "int8", "--calibrate", "samples.npz", "-o", "one", "--json")
    assert outcome.code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["command"] == "convert"
    assert run("quantize", model, "--calibrate", "samples.npz", "-o", "two").code == 0
    one, two = (next((tmp_path / name).glob("*.tflite")).read_bytes() for name in ("one", "two"))
    assert one == two
    outcome = run("convert", model, "--calibrate", "samples.npz")
    assert outcome.code == 2
    assert "`--calibrate` needs `--scheme`" in outcome.stderr
    assert run("convert", model, "--backend", "onnx", "--fp16", "--scheme", "int8").code == 2


def test_weights_are_quantised_without_samples(run: Run, model: Path) -> None:
    """A scheme that leaves activations in float needs no data; blocks are refused where there are none."""
    outcome = run("quantize", model, "--scheme", "w4", "--backend", "onnx", "--block-size", "8", "-o", "four")
    assert outcome.code == 0, outcome.stderr
    outcome = run("quantize", model, "--scheme", "w4", "--block-size", "8")
    assert outcome.code == 1
    assert "no kernel for weights in blocks" in outcome.stderr


def test_images_need_to_be_told_how(run: Run, model: Path, tmp_path: Path) -> None:
    """What the training did to images is asked for, and then used."""
    pictures = pytest.importorskip("PIL.Image", reason="the extra `images` is not installed")
    shape = image().shape
    (tmp_path / "photos").mkdir()
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 256, (*shape[2:], 3), np.uint8)
        pictures.fromarray(pixels).save(tmp_path / "photos" / f"{seed}.png")
    outcome = run("quantize", model, "--calibrate", "photos")
    assert outcome.code == 2
    assert "EK404" in outcome.stderr
    told = ("--calibrate-mean", "127.5", "--calibrate-std", "127.5", "--calibrate-layout", "nchw")
    outcome = run("quantize", model, "--calibrate", "photos", *told)
    assert outcome.code == 0, outcome.stderr
    assert run("quantize", model, "--calibrate", "photos", "--calibrate-mean", "grey").code == 2


def test_the_choices_are_those_of_the_library() -> None:
    """The command line names them itself, to start fast."""
    assert tuple(SCHEMES) == quantize_flags.SCHEMES
    assert tuple(METHODS) == quantize_flags.METHODS
    assert (quantize_flags.LAYOUTS, quantize_flags.RESIZES, quantize_flags.COLOURS) == (
        preprocess.LAYOUTS,
        preprocess.RESIZES,
        preprocess.COLOURS,
    )


def test_a_budget_that_does_not_hold_is_exit_1_with_the_artifact(
    run: Run, model: Path, tmp_path: Path
) -> None:
    """What was tried, what costs most, and by how much it is too much."""
    np.savez("samples.npz", x=np.concatenate([image(i) for i in range(6)]))
    asked = ("--calibrate", "samples.npz", "--bias-correction", "--sensitivity", "--max-drop", "0%")
    outcome = run("quantize", model, *asked, "--html", "report.html")
    assert outcome.code == 1, outcome.stdout
    assert "EK405" in outcome.stderr + outcome.stdout
    assert len(list((tmp_path / "small-tflite-int8").glob("*.tflite"))) == 1
    document = json.loads((tmp_path / "small-tflite-int8" / "report.json").read_text())
    jsonschema.validate(document, json_format.schema())
    assert document["verdict"]["status"] == "failed"
    ids = [part["id"] for part in document["results"]]
    assert {"quantization", "steps", "sensitivity", "sensitivity-measured"} <= set(ids)
    page = (tmp_path / "report.html").read_text()
    assert "Sensitivity of the layers" in page
    assert run("quantize", model, "--calibrate", "samples.npz", "--max-drop", "150%").code == 2


def test_all_schemes_side_by_side(run: Run, model: Path, tmp_path: Path) -> None:
    """One folder for each scheme, a table, and a picture in the page."""
    np.savez("samples.npz", x=np.concatenate([image(i) for i in range(6)]))
    outcome = run("quantize", model, "--pareto", "--calibrate", "samples.npz", "--html", "report.html")
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    folder = tmp_path / "small-tflite-schemes"
    names = {path.name for path in folder.iterdir() if path.is_dir()}
    assert {"float", "int8", "w8"} <= names
    document = json.loads((folder / "report.json").read_text())
    jsonschema.validate(document, json_format.schema())
    (table,) = document["results"]
    assert {row["scheme"] for row in table["rows"]} >= names
    assert '<svg class="chart"' in (tmp_path / "report.html").read_text()
    assert run("quantize", model, "--pareto", "--scheme", "int8").code == 2


def test_quantize(run: Run, model: Path, tmp_path: Path) -> None:
    """A float model becomes an integer artifact; its cost is in the report and in JSON."""
    np.savez("samples.npz", x=np.concatenate([image(i) for i in range(6)]))
    outcome = run("quantize", model, "--calibrate", "samples.npz", "--require-full-integer", "--integer-io")
    assert outcome.code == 0, outcome.stderr
    assert "Cost of quantisation" in outcome.stdout
    folder = tmp_path / "small-tflite-int8"
    document = json.loads((folder / "report.json").read_text())
    jsonschema.validate(document, json_format.schema())
    assert document["command"] == "quantize"
    (table,) = (part for part in document["results"] if part["id"] == "quantization")
    assert [row["form"] for row in table["rows"]] == ["float", "QDQ, simulated", "artifact, executed"]
    assert all(row["sqnr_db"] > 20 for row in table["rows"][1:])
    outcome = run("quantize", model)
    assert outcome.code == 1
    assert "EK403" in outcome.stderr
