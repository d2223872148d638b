"""Import of Keras models from end to end, the child process included."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from edgekit.diagnostics import Diagnostic, EdgekitError, ExitCode
from edgekit.importers import load

pytestmark = pytest.mark.keras

MISSING = [p for p in ("tensorflow", "tf_keras", "tf2onnx") if importlib.util.find_spec(p) is None]
needs_keras = pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} not installed (the keras extra)")

LIVE = """
import json, sys, tempfile, warnings
from pathlib import Path
import keras, tensorflow as tf
from edgekit.importers import keras_live, load
from edgekit.ir import origin_of

class Scale(keras.layers.Layer):
    def build(self, shape):
        self.s = self.add_weight(shape=(shape[-1],), initializer="ones", name="s")
    def call(self, x):
        return x * self.s

class Affine(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x")])
    def run(self, x):
        return {"y": x * 2.0 + 1.0}

def own():
    i = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(i)
    return keras.Model(i, keras.layers.Flatten(name="flat")(x))

def custom():
    a, b = keras.Input((4,), name="b input"), keras.Input((4,), name="a:0")
    x = Scale(name="scale")(keras.layers.Dense(4, name="dense")(a))
    x = keras.layers.Lambda(lambda v: v * SOMETHING, name="times")(x)
    return keras.Model([a, b], [keras.layers.Add(name="sum")([x, b]), x])

SOMETHING = 3.0
found = {}
for build in (own, custom):
    before = sorted(tf.get_logger().__dict__), tf.get_logger().level, warnings.filters[:]
    model = load(build())
    assert (sorted(tf.get_logger().__dict__), tf.get_logger().level, warnings.filters) == before
    found[build.__name__] = {
        "inputs": [i.name for i in model.inputs],
        "shapes": [list(i.shape) for i in model.inputs],
        "outputs": [o.name for o in model.outputs],
        "scopes": [origin_of(n).scope for n in model.ir.graph],
        "warnings": [d.message for d in model.diagnostics],
        "source": model.source,
    }
with tempfile.TemporaryDirectory() as folder:
    saved = keras_live.save(Affine(), Path(folder))
    found["module"] = [saved.kind, (saved.path / "saved_model.pb").exists()]
json.dump(found, open(sys.argv[1], "w"))
"""


@pytest.fixture(autouse=True)
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files; nothing may stay in it."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refused(path: Path, **options: Any) -> EdgekitError:
    with pytest.raises(EdgekitError) as failure:
        load(path, **options)
    return failure.value


@needs_keras
def test_live_models(tmp_path: Path) -> None:
    script, result = tmp_path / "live.py", tmp_path / "result.json"
    script.write_text(LIVE)
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TMPDIR": str(tmp_path / "temp"),
        "PYTHONDONTWRITEBYTECODE": "1",  # of what TensorFlow traces, in the same folder
    }
    run = subprocess.run(
        [sys.executable, str(script), str(result)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert run.stdout == ""
    found = json.loads(result.read_text())
    assert found["own"]["inputs"] == ["image"]
    assert found["own"]["shapes"] == [["batch", 8, 8, 3]]
    assert {"conv", "flat"} == set(found["own"]["scopes"])
    assert found["custom"]["inputs"] == ["b input", "a:0"]
    assert found["custom"]["outputs"] == ["sum", "times"]
    assert {"dense", "scale", "times", "sum"} == set(found["custom"]["scopes"])
    assert found["module"] == ["saved_model", True]
    for name in ("own", "custom"):
        assert (found[name]["warnings"], found[name]["source"]) == ([], "keras")
    assert list((tmp_path / "temp").iterdir()) == []


@needs_keras
@pytest.mark.corpus
def test_legacy_file_from_path_to_hub(corpus: Path, temp: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = corpus / "mlperf_tiny" / "vww_96.h5"
    model = load(path)
    assert (model.source, model.path, model.name) == ("keras", path, "vww_96")
    assert model.inputs[0].shape == ("batch", 96, 96, 3)
    assert len(model.sha256 or "") == 64
    assert model.diagnostics == ()
    assert model.ir.metadata_props["edgekit.import.loader"].startswith("tf-keras")
    assert capfd.readouterr() == ("", "")
    assert list(temp.iterdir()) == []


@needs_keras
@pytest.mark.parametrize("kept", [100, 600, 1500])
def test_truncated_hdf5(tmp_path: Path, temp: Path, kept: int, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.h5"
    path.write_bytes(_hdf5(tmp_path)[:kept])
    found = refused(path).diagnostics[0]
    assert found.code == "EK103"
    assert "HDF5" in found.message
    assert capfd.readouterr() == ("", "")
    assert list(temp.iterdir()) == []


@needs_keras
def test_hdf5_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    path.write_bytes(_hdf5(tmp_path))
    assert refused(path).diagnostics[0].code == "EK102"


@needs_keras
def test_hdf5_that_links_to_another_file(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "link.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"
        file["model_weights"] = h5py.ExternalLink("/etc/passwd", "/")
    found = refused(path).diagnostics[0]
    assert (found.code, found.notes) == ("EK106", ("it refers to `/etc/passwd`",))


@needs_keras
def test_hdf5_that_claims_huge_weights(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"
        file.create_dataset("model_weights/w", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(16, 16))
    assert path.stat().st_size < 100_000
    assert refused(path).diagnostics[0].code == "EK107"


@needs_keras
def test_configuration_that_asks_for_huge_weights_does_not_take_the_machine_down(tmp_path: Path) -> None:
    import h5py

    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 9], "name": "x"}},
        {"class_name": "Dense", "config": {"units": 10**10, "name": "huge"}},
    ]
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.14.0"
        file.create_group("model_weights")
    assert refused(path).diagnostics[0].code == "EK112"


def test_missing_tensorflow_is_exit_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "tensorflow" else find_spec(name, *a)
    )
    path = tmp_path / "m.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    failure = refused(path)
    assert _codes(failure) == ["EK501"]
    assert failure.exit_code is ExitCode.UNAVAILABLE
    assert 'pip install "edgekit[keras]"' in (failure.diagnostics[0].help or "")


def _codes(failure: EdgekitError) -> list[str]:
    found: tuple[Diagnostic, ...] = failure.diagnostics
    return [d.code for d in found]


def _hdf5(folder: Path) -> bytes:
    import h5py

    path = folder / "whole.h5"
    with h5py.File(path, "w") as file:
        file["data"] = list(range(100))
    return path.read_bytes()
