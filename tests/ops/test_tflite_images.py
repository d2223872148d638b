"""Ops on images: Resize, Pad, DepthToSpace, GridSample, RoiAlign, AffineGrid."""

from __future__ import annotations

import numpy as np
import pytest

COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]


def i64(*values):
    return np.asarray(values, np.int64)


def f32(*values):
    return np.asarray(values, np.float32)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("size", [(5, 7), (8, 20), (10, 3)])
def test_nearest(bench, draw, coordinates, mode, size):
    attrs = {"mode": "nearest", "nearest_mode": mode, "coordinate_transformation_mode": coordinates}
    x = draw("float32", 2, 3, 4, 10)
    attrs["axes"] = [2, 3]
    bench.check("Resize", [x, None, None, i64(*size)], attrs, const=(3,), dynamic={0: (0,)}, opset=19, rtol=0)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("size", [(5, 7), (8, 20), (10, 3), (1, 1)])
@pytest.mark.parametrize("antialias", [0, 1])
def test_interpolation(bench, draw, coordinates, mode, size, antialias):
    attrs = {"mode": mode, "antialias": antialias, "coordinate_transformation_mode": coordinates}
    x = draw("float32", 2, 3, 4, 10)
    inputs = [x, None, None, i64(2, 3, *size)]
    bench.check("Resize", inputs, attrs, const=(3,), opset=19, atol=1e-5)


@pytest.mark.parametrize("a", [-0.75, -0.5])
@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("scales", [(2.0, 1.5), (0.6, 0.3)])
def test_cubic(bench, draw, a, exclude, scales):
    attrs = {"mode": "cubic", "cubic_coeff_a": a, "exclude_outside": exclude}
    inputs = [draw("float32", 1, 2, 5, 7), None, f32(1, 1, *scales)]
    bench.check("Resize", inputs, attrs, const=(2,), opset=19, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 2, 5), (1, 2, 3, 4, 5)])
def test_one_and_three_axes(bench, draw, shape):
    scales = f32(1, 1, *(2 for _ in shape[2:]))
    bench.check("Resize", [draw("float32", *shape), None, scales], {"mode": "nearest"}, const=(2,), opset=19)
    if len(shape) == 5:
        bench.check(
            "Resize", [draw("float32", *shape), None, scales], {"mode": "linear"}, const=(2,), opset=19
        )


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_the_ratio_is_kept(bench, draw, policy):
    attrs = {"mode": "linear", "keep_aspect_ratio_policy": policy, "axes": [2, 3]}
    bench.check("Resize", [draw("float32", 1, 2, 4, 6), None, None, i64(7, 8)], attrs, const=(3,), opset=19)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_crop_and_resize(bench, draw, mode):
    attrs = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 7.0}
    inputs = [draw("float32", 1, 2, 6, 8), f32(0.2, -0.3, 0.9, 1.2), None, i64(4, 5)]
    bench.check("Resize", inputs, {**attrs, "axes": [2, 3]}, const=(1, 3), opset=19, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int8", "int32", "float16"])
def test_nearest_moves_any_dtype(bench, draw, dtype):
    bench.check("Resize", [draw(dtype, 1, 2, 3, 4), None, f32(1, 1, 2, 3)], const=(2,), opset=19, rtol=0)


@pytest.mark.parametrize(
    ("attrs", "scales", "expected"),
    [
        ({"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, (2, 2),
         ["RESIZE_NEAREST_NEIGHBOR"]),
        ({"mode": "nearest"}, (2, 4), ["RESIZE_NEAREST_NEIGHBOR"]),
        ({"mode": "linear"}, (2, 2), ["RESIZE_BILINEAR"]),
        ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, (2, 2), ["RESIZE_BILINEAR"]),
        ({"mode": "linear", "coordinate_transformation_mode": "asymmetric"}, (3, 2), ["RESIZE_BILINEAR"]),
        ({"mode": "linear"}, (0.6, 0.6), ["FULLY_CONNECTED", "FULLY_CONNECTED"]),
        ({"mode": "nearest", "nearest_mode": "ceil"}, (1, 2), ["GATHER"]),
    ],
)  # fmt: skip
def test_builtins_are_used_where_they_do_the_same(bench, draw, attrs, scales, expected):
    inputs = [draw("float32", 1, 2, 5, 7), None, f32(1, 1, *scales)]
    assert bench.emitted("Resize", inputs, attrs, const=(2,), opset=19) == expected
    bench.check("Resize", inputs, attrs, const=(2,), opset=19, atol=1e-5)


@pytest.mark.parametrize("attrs", [{"mode": "linear"}, {"mode": "nearest"}])
def test_images_of_any_size_are_doubled(bench, draw, attrs):
    inputs = [draw("float32", 1, 2, 5, 7), None, f32(1, 1, 2, 2)]
    bench.check("Resize", inputs, attrs, const=(2,), dynamic={0: (0, 2, 3)}, opset=19)


def test_what_resize_refuses(bench, draw):
    x = draw("float32", 1, 2, 4, 4)
    attrs = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    assert "does not say" in bench.refused(
        "Resize", [x, None, f32(1, 1, 0.6, 1)], attrs, const=(2,), opset=19
    )
    inputs = [x, None, None, i64(1, 2, 7, 7)]
    text = bench.refused("Resize", inputs, {"mode": "cubic"}, const=(3,), dynamic={0: (2, 3)}, opset=19)
    assert text.startswith("EK305")
    assert "EK303" in bench.refused(
        "Resize", [x.astype(np.uint8), None, f32(1, 1, 2, 2)], {"mode": "linear"}, const=(2,), opset=19
    )


def pad_case(seed):
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 7))
    shape = rng.integers(3, 6, rank)
    axes = np.sort(rng.permutation(rank)[: rng.integers(1, min(rank, 4) + 1)])
    pads = rng.choice([0, 1, 2, -1], (2, len(axes)))
    x = (rng.standard_normal(shape) * 50).astype(rng.choice(["float32", "int32", "float16", "int64", "bool"]))
    return x, pads.reshape(-1), axes - rank * (seed % 2)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("seed", range(20))
def test_pad(bench, seed, mode):
    x, pads, axes = pad_case(seed)
    pads = np.abs(pads) if mode == "reflect" else pads  # ONNX Runtime reflects what was dropped as well
    symbolic = 0 not in axes % x.ndim and x.ndim < 6 and mode != "wrap"
    fill = np.asarray(3, x.dtype) if mode == "constant" and seed % 3 else None
    dynamic = {0: (0,)} if symbolic else ()
    bench.check("Pad", [x, pads, fill, axes], {"mode": mode}, const=(1, 2, 3), dynamic=dynamic, rtol=0)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad_of_sizes_known_at_run_time(bench, draw, mode):
    inputs = [draw("float32", 1, 2, 5, 6), i64(0, 0, 1, 2, 0, 0, 2, 1)]
    bench.check("Pad", inputs, {"mode": mode}, const=(1,), dynamic=(0,), rtol=0)


def test_what_pad_refuses(bench, draw):
    x = draw("float32", 3, 4)
    assert "`pads` is computed at run time" in bench.refused("Pad", [x, i64(0, 0, 1, 1)])
    text = bench.refused("Pad", [x, i64(0, 0, 1, 1)], {"mode": "wrap"}, const=(1,), dynamic=(0,))
    assert text.startswith("EK305")


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("symbolic", [(), (0, 2, 3)])
def test_depth_and_space(bench, draw, block, symbolic):
    deep, wide = draw("float32", 2, 2 * block**2, 3, 4), draw("float32", 2, 3, 3 * block, 2 * block)
    for mode in ("DCR", "CRD"):
        attrs = {"blocksize": block, "mode": mode}
        bench.check("DepthToSpace", [deep], attrs, dynamic={0: symbolic}, opset=13, rtol=0)
    bench.check("SpaceToDepth", [wide], {"blocksize": block}, dynamic={0: symbolic}, opset=13, rtol=0)


def test_depth_to_space_of_other_dtypes(bench, draw):
    for dtype in ("int8", "float16", "int32", "bool"):
        bench.check("DepthToSpace", [draw(dtype, 1, 8, 2, 3)], {"blocksize": 2}, opset=13, rtol=0)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("shape", [(4, 7), (3, 3), (2, 3, 4)], ids=str)
def test_grid_sample(bench, draw, rng, mode, padding, corners, shape):
    if mode == "cubic" and len(shape) == 3:
        return  # not defined
    x = draw("float32", 2, 3, *shape)
    grid = rng.uniform(-1.6, 1.6, (2, *(4 for _ in shape), len(shape))).astype(np.float32)
    attrs = {"mode": mode, "padding_mode": padding, "align_corners": corners}
    bench.check("GridSample", [x, grid], attrs, dynamic={0: (0,), 1: (0, 1)}, opset=20, atol=1e-5)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_roi_align(bench, draw, rng, mode, coordinates, ratio):
    corners = rng.uniform(-3, 12, (5, 2))
    rois = np.concatenate([corners, corners + rng.uniform(0.2, 6, (5, 2))], 1).astype(np.float32)
    attrs = {"mode": mode, "coordinate_transformation_mode": coordinates, "sampling_ratio": ratio}
    attrs |= {"output_height": 3, "output_width": 2, "spatial_scale": 0.5}
    inputs = [draw("float32", 2, 3, 6, 5), rois, rng.integers(0, 2, 5)]
    bench.check("RoiAlign", inputs, attrs, dynamic={0: (0,), 1: (0,), 2: (0,)}, opset=16, atol=1e-5)


def test_what_roi_align_refuses(bench, draw):
    inputs = [draw("float32", 1, 1, 5, 5), draw("float32", 2, 4), np.zeros(2, np.int64)]
    assert "`sampling_ratio` 0" in bench.refused("RoiAlign", inputs, opset=16)


@pytest.mark.parametrize("size", [(2, 3, 4, 5), (1, 2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("corners", [0, 1])
def test_affine_grid(bench, draw, size, corners):
    axes = len(size) - 2
    inputs = [draw("float32", size[0], axes, axes + 1), i64(*size)]
    bench.check("AffineGrid", inputs, {"align_corners": corners}, const=(1,), opset=20, atol=1e-5)
