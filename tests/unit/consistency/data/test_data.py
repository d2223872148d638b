"""Folders and functions as calibration data: what is read, and what is said of what cannot be."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.consistency.calibrate import calibration_samples
from edgekit.consistency.data import Preprocess
from edgekit.diagnostics import EdgekitError

Image = pytest.importorskip("PIL.Image", reason="the extra `images` is not installed")
PLAIN = Preprocess((0.0,), (1.0,))


def model(*shapes, dtype=TensorProto.FLOAT):
    names = ["x", "y"][: len(shapes)]
    inputs = [helper.make_tensor_value_info(n, dtype, s) for n, s in zip(names, shapes, strict=True)]
    outputs = [helper.make_tensor_value_info(f"{n}:out", dtype, None) for n in names]
    nodes = [helper.make_node("Identity", [n], [f"{n}:out"]) for n in names]
    graph = helper.make_graph(nodes, "same", inputs, outputs)
    return api.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))


def refusal(call):
    with pytest.raises(EdgekitError) as caught:
        call()
    return caught.value.diagnostics[0]


def pictures(folder, count, size=(6, 4), mode="RGB"):
    rng = np.random.default_rng(0)
    made = []
    for i in range(count):
        shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        pixels = rng.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels, mode).save(folder / f"{i:03}.png")
        made.append(pixels)
    return made


def test_images_are_prepared_as_stated(tmp_path):
    made = pictures(tmp_path, 5)
    how = Preprocess((10.0, 20.0, 30.0), (2.0, 4.0, 8.0), colour="BGR")
    samples = calibration_samples(model([1, 3, 4, 6]), tmp_path, how)
    assert (samples.kind, len(samples.arrays)) == ("images", 5)
    wanted = (made[3][..., ::-1].astype(np.float32) - [10, 20, 30]) / [2, 4, 8]
    np.testing.assert_allclose(samples.arrays[3]["x"], wanted.transpose(2, 0, 1)[None], rtol=1e-6)
    assert "BGR, NCHW" in samples.notes[0]
    last = calibration_samples(model([None, 4, 6, 3]), tmp_path, PLAIN)
    np.testing.assert_array_equal(last.arrays[0]["x"][0], made[0])
    grey = calibration_samples(model([1, 1, 4, 6]), tmp_path, PLAIN)
    assert grey.arrays[0]["x"].shape == (1, 1, 4, 6)


def test_what_is_not_known_of_images_is_asked_for(tmp_path):
    pictures(tmp_path, 2)
    found = refusal(lambda: calibration_samples(model([1, 3, 4, 6]), tmp_path))
    assert found.code == "EK404"
    assert "--calibrate-mean" in found.message
    assert "--calibrate-std" in found.message
    found = refusal(lambda: calibration_samples(model([1, 3, 4, 3]), tmp_path, PLAIN))
    assert "--calibrate-layout" in found.message
    found = refusal(lambda: calibration_samples(model([1, 3, 8, 8]), tmp_path, PLAIN))
    assert "6 x 4" in found.message
    assert "--calibrate-resize" in found.help
    found = refusal(lambda: calibration_samples(model([1, 4, 4, 6]), tmp_path, PLAIN))
    assert "--calibrate-layout" in found.message
    found = refusal(lambda: calibration_samples(model([1, 3, "h", "w"]), tmp_path, PLAIN))
    assert "fixed size" in found.message


@pytest.mark.parametrize("resize", ["stretch", "crop"])
def test_images_are_resized_where_that_is_stated(tmp_path, resize):
    Image.fromarray(np.full((40, 20), 7, np.uint8), "L").save(tmp_path / "a.png")
    how = Preprocess((0.0,), (1.0,), resize=resize)
    (sample,) = calibration_samples(model([1, 1, 8, 8]), tmp_path, how).arrays
    assert (sample["x"] == 7).all()
    assert sample["x"].shape == (1, 1, 8, 8)


def test_a_crop_takes_the_middle(tmp_path):
    pixels = np.zeros((12, 4), np.uint8)
    pixels[4:8] = 200
    Image.fromarray(pixels, "L").save(tmp_path / "a.png")
    how = Preprocess((0.0,), (1.0,), resize="crop")
    (sample,) = calibration_samples(model([1, 1, 4, 4]), tmp_path, how).arrays
    assert (sample["x"] == 200).all()


def test_units_of_one_are_doubted(tmp_path):
    pictures(tmp_path, 1)
    how = Preprocess((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert any(
        "multiply them by 255" in note
        for note in calibration_samples(model([1, 3, 4, 6]), tmp_path, how).notes
    )


def test_one_damaged_image_in_a_hundred_is_left_out_by_name(tmp_path):
    pictures(tmp_path, 100, size=(5, 4), mode="L")
    whole = (tmp_path / "041.png").read_bytes()
    (tmp_path / "041.png").write_bytes(whole[: len(whole) // 2])
    samples = calibration_samples(model([1, 1, 4, 5]), tmp_path, PLAIN)
    assert len(samples.arrays) == 99
    assert any(note.startswith("`041.png` was left out") for note in samples.notes)


def test_a_folder_that_is_mostly_damaged_is_refused(tmp_path):
    pictures(tmp_path, 3)
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"not an image")
    found = refusal(lambda: calibration_samples(model([1, 3, 4, 6]), tmp_path, PLAIN))
    assert found.code == "EK404"
    assert "2 of 5 files" in found.message
    assert any("`a.png`" in note for note in found.notes)


def test_an_empty_and_a_mixed_folder(tmp_path):
    assert refusal(lambda: calibration_samples(model([1, 3]), tmp_path)).code == "EK404"
    (tmp_path / "notes.txt").write_text("nothing to see")
    assert "neither" in refusal(lambda: calibration_samples(model([1, 3]), tmp_path)).message
    np.save(tmp_path / "a.npy", np.zeros((1, 3), np.float32))
    assert len(calibration_samples(model([1, 3]), tmp_path).arrays) == 1
    pictures(tmp_path, 1)
    assert "1 images and 1 arrays" in refusal(lambda: calibration_samples(model([1, 3]), tmp_path)).message


def test_arrays_are_read_when_they_are_used(tmp_path):
    for i in range(4):
        np.savez(tmp_path / f"{i}.npz", x=np.full((3, 2), i, np.float32), y=np.full((3, 1), -i, np.float32))
    samples = calibration_samples(model([1, 2], [1, 1]), tmp_path)
    assert len(samples.arrays) == 12
    assert [float(s["x"][0, 0]) for s in samples.arrays] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert float(samples.arrays[5:][1]["y"][0, 0]) == -2
    np.savez(tmp_path / "0.npz", x=np.full((3, 2), 9, np.float32), y=np.zeros((3, 1), np.float32))
    assert float(samples.arrays[0]["x"][0, 0]) == 9  # nothing was held


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((1, 5), np.float32), "shape"),
        (np.zeros((1, 2), np.float64), "dtype"),
        (np.asarray([[1, np.nan]], np.float32), "NaN"),
        (np.asarray([[1, np.inf]], np.float32), "infinity"),
    ],
)
def test_an_array_that_does_not_fit_is_named(tmp_path, array, text):
    for i in range(30):
        np.save(tmp_path / f"{i:02}.npy", np.zeros((1, 2), np.float32))
    np.save(tmp_path / "17.npy", array)
    found = refusal(lambda: calibration_samples(model([1, 2]), tmp_path))
    assert found.code == "EK505"
    assert "`17.npy`" in found.message
    assert text in found.message
    single = refusal(lambda: calibration_samples(model([1, 2]), tmp_path / "17.npy"))
    assert single.code == "EK505"


SOURCE = textwrap.dedent(
    """
    import numpy as np
    def samples():
        for i in range(7):
            yield np.full((1, 2), i, np.float32)
    def pairs():
        for i in range(3):
            yield np.full((1, 2), i, np.float32), np.full((1, 1), i, np.float32)
    def named():
        yield {"y": np.zeros((1, 1), np.float32), "x": np.ones((1, 2), np.float32)}
    def broken():
        yield np.zeros((1, 2), np.float32)
        raise RuntimeError("the disk is on fire")
    def wrong():
        yield np.zeros((1, 2), np.float32)
        yield np.zeros((1, 9), np.float32)
    def nothing():
        return []
    def needy(path):
        yield path
    """
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def test_a_function_yields_samples_again_and_again(source, monkeypatch):
    samples = calibration_samples(model([1, 2]), f"{source}:samples")
    assert (samples.kind, len(samples.arrays)) == ("generator", 7)
    for _ in range(2):
        assert [int(s["x"][0, 0]) for s in samples.arrays] == list(range(7))
    assert [int(s["x"][0, 0]) for s in samples.arrays[2:4]] == [2, 3]
    assert int(samples.arrays[-1]["x"][0, 0]) == 6
    monkeypatch.chdir(source.parent)
    assert len(calibration_samples(model([1, 2], [1, 1]), "mine:pairs").arrays) == 3
    (one,) = calibration_samples(model([1, 2], [1, 1]), "mine.py:named").arrays
    assert one["x"].sum() == 2


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("broken", "EK404", "failed"),
        ("wrong", "EK505", "sample 2 of"),
        ("nothing", "EK404", "yields no samples"),
        ("missing", "EK404", "has no function `missing`"),
        ("needy", "EK404", "must take no arguments"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(source, name, code, text):
    found = refusal(lambda: calibration_samples(model([1, 2]), f"{source}:{name}"))
    assert found.code == code
    assert text in found.message


def test_a_callable_and_an_iterator():
    def mine():
        yield from ({"x": np.full((1, 2), i, np.float32)} for i in range(3))

    assert len(calibration_samples(model([1, 2]), mine).arrays) == 3
    assert len(calibration_samples(model([1, 2]), mine()).arrays) == 3
