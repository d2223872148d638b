"""Resizes are held against the libraries whose names they bear."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.pipeline.resample import Axis, along, weights
from edgekit.pipeline.stages import Resize
from edgekit.pipeline.stages.resize import FLAVOURS, library_axes

SIZES = [(50, 60), (224, 224), (97, 60), (31, 131)]
IMAGE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", sorted(FLAVOURS["pillow"]))
def test_pillow_bit_for_bit(kernel: str, size: tuple[int, int]) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    method = getattr(image.Resampling, kernel.upper())
    theirs = np.asarray(image.fromarray(IMAGE).resize(size[::-1], method))
    assert np.array_equal(Resize(size, "pillow", kernel).apply(IMAGE), theirs)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", sorted(FLAVOURS["opencv"]))
def test_opencv_within_one_level(kernel: str, size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    method = {"nearest": "NEAREST", "bilinear": "LINEAR", "bicubic": "CUBIC", "area": "AREA"}[kernel]
    theirs = cv2.resize(IMAGE, size[::-1], interpolation=getattr(cv2, f"INTER_{method}"))
    error = np.abs(Resize(size, "opencv", kernel).apply(IMAGE).astype(int) - theirs)
    assert error.max() <= 1
    assert np.mean(error > 0) < {"nearest": 1e-9, "bilinear": 0.005, "bicubic": 0.06, "area": 0.08}[kernel]


@pytest.mark.torch
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", sorted(FLAVOURS["torch"]))
def test_torch_within_its_float32(kernel: str, size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")
    flags = {"antialias": True} if "antialias" in kernel else {}
    flags |= {"align_corners": True} if "align-corners" in kernel else {}
    mode = kernel.removesuffix("-antialias").removesuffix("-align-corners")
    tensor = torch.from_numpy(IMAGE.transpose(2, 0, 1)[None].astype(np.float32))
    theirs = torch.nn.functional.interpolate(tensor, size=size, mode=mode, **flags)[0].numpy()
    ours = Resize(size, "torch", kernel).apply(IMAGE.astype(np.float32))
    assert np.abs(ours - theirs.transpose(1, 2, 0)).max() < 0.006  # of 255: its weights are float32


TENSORFLOW = {
    "nearest": ("nearest", False), "bilinear": ("bilinear", False), "bilinear-antialias": ("bilinear", True),
    "bicubic": ("bicubic", False), "bicubic-antialias": ("bicubic", True), "area": ("area", False),
}  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", sorted(FLAVOURS["tensorflow"]))
def test_tensorflow_within_its_float32(kernel: str, size: tuple[int, int]) -> None:
    tf = pytest.importorskip("tensorflow", reason="the extra `keras` is not installed")
    image = IMAGE.astype(np.float32)
    if kernel in TENSORFLOW:
        method, antialias = TENSORFLOW[kernel]
        theirs = tf.image.resize(image, size, method=method, antialias=antialias).numpy()
    else:
        align = kernel == "bilinear-align-corners"
        theirs = tf.compat.v1.image.resize(image[None], size, align_corners=align)[0].numpy()
    ours = Resize(size, "tensorflow", kernel).apply(image)
    assert np.abs(ours - theirs).max() < 0.02  # of 255: its weights are float32, and tabulated for bicubic


@pytest.mark.parametrize("axis", list(library_axes()), ids=list(library_axes().values()))
@pytest.mark.parametrize(("source", "target"), [(7, 3), (3, 7), (5, 5), (1, 4), (640, 224)])
def test_each_output_pixel_is_a_mean(axis: Axis, source: int, target: int) -> None:
    matrix = weights(source, target, axis)
    assert matrix.shape == (target, source)
    assert np.allclose(matrix.sum(axis=1), 1)


def test_a_product_by_windows_is_the_product() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=(90, 70, 3))
    matrix = weights(90, 33, Axis("lanczos"))
    assert np.allclose(along(matrix, image, 0), np.einsum("ts,swc->twc", matrix, image))
    matrix = weights(70, 33, Axis("bicubic"))
    assert np.allclose(along(matrix, image, 1), np.einsum("ts,hsc->htc", matrix, image))


@pytest.mark.parametrize(
    ("fit", "image", "expected"),
    [("shorter", (480, 640), (224, 298)), ("longer", (480, 640), (168, 224)),
     ("stretch", (480, 640), (224, 224)),
     ("shorter", (640, 480), (298, 224)), ("longer", (3, 1000), (1, 224))],
)  # fmt: skip
def test_fit(fit: str, image: tuple[int, int], expected: tuple[int, int]) -> None:
    assert Resize((224, 224), fit=fit).target(*image) == expected  # type: ignore[arg-type]
