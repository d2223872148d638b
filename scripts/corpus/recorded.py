"""Recorded inputs (speech, images, sensor data) for the models that come with some.

Each function prepares the data as the model's authors do, as far as they say so, and gives one array
per input in the model's order. To compare two runtimes the preparation need not be perfect; it must
only put the values where the model works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Sequence[Array]
Make = Callable[[Path, Path], Iterator[Arrays]]

_MAKERS: dict[str, tuple[str, Make]] = {}


def recorded(folder: Path, model: Path) -> tuple[str, list[Arrays]] | None:
    """Returns what the recorded inputs of a model are, and the samples; `None` if there are none."""
    entry = _MAKERS.get(model.relative_to(folder).as_posix())
    if entry is None:
        return None
    title, make = entry
    return title, [tuple(np.asarray(a, np.float32) for a in arrays) for arrays in make(folder, model)]


def _for(title: str, *models: str) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        _MAKERS.update(dict.fromkeys(models, (title, make)))
        return make

    return register


@_for("log-mel features of speech", "mlperf_tiny/str_ww_ref_model.h5")
def _wake_word(folder: Path, model: Path) -> Iterator[Arrays]:
    with np.load(folder / "mlperf_tiny/sww_data/calibration_samples.npz") as data:
        for features in data["specs"]:
            yield (features[None],)


@_for("spectra of a machine's sound", "mlperf_tiny/ad01.h5", "mlperf_tiny_v1_3_onnx/deep_autoencoder.onnx")
def _machine(folder: Path, model: Path) -> Iterator[Arrays]:
    values = np.fromfile(folder / "mlperf_tiny/ad_input/normal_id_01_00000000_hist_librosa.bin", "<f4")
    for window in values.reshape(-1, 640):
        yield (window[None],)


@_for("photographs", "mlperf_tiny/pretrainedResnet.h5", "mlperf_tiny_v1_3_onnx/resnet.onnx")
def _small_photographs(folder: Path, model: Path) -> Iterator[Arrays]:
    taxi = np.fromfile(folder / "mlperf_tiny_single_inputs/taxi_s_001241_chw.bin", np.uint8)
    yield (taxi.reshape(1, 3, 32, 32).transpose(0, 2, 3, 1),)
    for path in _photographs(folder):
        yield (_image(path, "RGB", (32, 32))[None],)


@_for("photographs", "samplenet_omz/samplenet_tf2")
def _normalised(folder: Path, model: Path) -> Iterator[Arrays]:
    for (image,) in _small_photographs(folder, model):
        yield (image / 127.5 - 1,)


@_for("photographs", "samplenet_omz/samplenet.onnx", "samplenet_omz/samplenet.pb")
def _normalised_nchw(folder: Path, model: Path) -> Iterator[Arrays]:
    for (image,) in _normalised(folder, model):
        yield (image.transpose(0, 3, 1, 2),)


@_for("key points of hands", "hand_gesture/keypoint_classifier.hdf5")
def _hands(folder: Path, model: Path) -> Iterator[Arrays]:
    yield from _rows(folder / "hand_gesture/keypoint.csv")


@_for("paths of a finger tip", "hand_gesture/point_history_classifier.hdf5")
def _finger(folder: Path, model: Path) -> Iterator[Arrays]:
    yield from _rows(folder / "hand_gesture/point_history.csv")


def _rows(path: Path, count: int = 24) -> Iterator[Arrays]:
    table = np.loadtxt(path, delimiter=",")[:, 1:]  # the first column is the class
    for row in table[:: len(table) // count][:count]:
        yield (row[None],)


@_for("handwritten digits", "ort_inference_examples/mnist.onnx")
def _digits(folder: Path, model: Path) -> Iterator[Arrays]:
    for path in sorted((folder / "tflite_micro/mnist_png").glob("sample*.png")):
        yield (_image(path, "L", (28, 28))[None, None] / 255,)


@_for("photographs with and without a person", "mlperf_tiny/vww_96.h5")
def _people(folder: Path, model: Path) -> Iterator[Arrays]:
    for path in sorted((folder / "tflite_micro/person_detection_bmp").glob("*.bmp")):
        yield (_image(path, "RGB", (96, 96))[None] / 255,)


@_for(
    "photographs",
    "ultraface/version-RFB-320.onnx",
    "ultraface/version-RFB-320_without_postprocessing.onnx",
)
def _faces(folder: Path, model: Path) -> Iterator[Arrays]:
    for path in _photographs(folder):
        image = _image(path, "RGB", (320, 240))
        yield (((image - 127) / 128).transpose(2, 0, 1)[None],)


def _photographs(folder: Path) -> list[Path]:
    names = ("bird.bmp", "cat.bmp", "grace_hopper.bmp", "owl.jpg", "sunflower.bmp")
    return [folder / "coral_edgetpu/img" / name for name in names]


def _image(path: Path, mode: str, size: tuple[int, int]) -> Array:
    """Returns an image as float32, `[height, width]` or `[height, width, 3]`, 0 to 255; `size` is (w, h)."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert(mode).resize(size), np.float32)


@_for("speech, the state carried on", "dtln/model_1.onnx")
def _spectra(folder: Path, model: Path) -> Iterator[Arrays]:
    spectra = (np.abs(np.fft.rfft(frame)) for frame in _frames(folder))
    yield from _with_state(model, (s[None, None] for s in spectra))


@_for("speech, the state carried on", "dtln/model_2.onnx")
def _speech(folder: Path, model: Path) -> Iterator[Arrays]:
    yield from _with_state(model, (frame[None, None] for frame in _frames(folder)))


def _frames(folder: Path) -> Iterator[Array]:
    """Yields 24 frames of 512 samples, 128 apart, from the middle of a spoken word at 16 kHz."""
    import wave

    with wave.open(str(folder / "mlperf_tiny/sww_data/marvin_617de221_0.wav")) as file:
        signal = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    loudest = int(np.argmax(np.convolve(signal**2, np.ones(3456), "valid")))
    for k in range(24):
        yield signal[loudest + 128 * k :][:512]


def _with_state(model: Path, inputs: Iterator[Array]) -> Iterator[Arrays]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    first, second = (port.name for port in session.get_inputs())
    state = np.zeros(session.get_inputs()[1].shape, np.float32)
    for array in inputs:
        yield array, state
        _, state = session.run(None, {first: array.astype(np.float32), second: state})
