"""Sampling of images `[N, C, H, W]` at any place: `resample`, `affine`, `crop_resize`."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.ops.gather import within
from edgekit.runners.mil_reference.ops.grids import grid
from edgekit.runners.mil_reference.refusal import Refusal, claim, require
from edgekit.runners.mil_reference.table import Real, evaluates
from edgekit.runners.mil_reference.types import Array

_PADDINGS = ("constant", "border", "reflection", "symmetric")


@evaluates("resample")
def resample(
    x: Real,
    coordinates: Array,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Array:
    """Samples at coordinates `[N, H, W, 2]`, each a column and a row."""
    require(x.ndim == coordinates.ndim == 4 and coordinates.shape[3] == 2, "x or coordinates do not fit")
    require(x.shape[0] == coordinates.shape[0], "x and coordinates differ in number")
    columns = _pixels(coordinates[..., 0], x.shape[3], coordinates_mode, align_corners)
    rows = _pixels(coordinates[..., 1], x.shape[2], coordinates_mode, align_corners)
    claim((*x.shape[:2], *rows.shape[1:]))
    samples = zip(x, rows, columns, strict=True)
    return np.stack([sample(i, r, c, sampling_mode, padding_mode, padding_value) for i, r, c in samples])


@evaluates("affine", alike=("x", "transform_matrix"))
def affine(
    x: Real,
    transform_matrix: Real,
    output_height: int,
    output_width: int,
    sampling_mode: str,
    padding_mode: str,
    padding_value: float,
    coordinates_mode: str,
    align_corners: bool,
) -> Array:
    """Samples at places that a matrix makes of the places of the result."""
    require(
        x.ndim == 4 and transform_matrix.ndim == 2 and transform_matrix.shape[1] == 6,
        "x or matrix do not fit",
    )
    require(transform_matrix.shape[0] in (1, x.shape[0]), "there is not one matrix for each image")
    asked = sampling_mode, padding_mode, padding_value, coordinates_mode, align_corners
    known = "bilinear", "constant", 0.0, "normalized_minus_one_to_one", True
    require(asked == known, f"of its modes only {known} are specified, not {asked}")
    claim((*x.shape[:2], output_height, output_width))
    across = np.linspace(-1, 1, output_width)[None, :]
    down = np.linspace(-1, 1, output_height)[:, None]
    results = []
    for image, matrix in zip(x, np.broadcast_to(transform_matrix, (x.shape[0], 6)), strict=True):
        a, b = matrix[:3].astype(np.float64), matrix[3:].astype(np.float64)
        columns = _pixels(a[0] * across + a[1] * down + a[2], x.shape[3], coordinates_mode, True)
        rows = _pixels(b[0] * across + b[1] * down + b[2], x.shape[2], coordinates_mode, True)
        results.append(sample(image, rows, columns, "bilinear", "constant", 0.0))
    return np.stack(results)


def sample(image: Array, rows: Array, columns: Array, mode: str, padding: str, value: float) -> Array:
    """Samples `[C, H, W]` at pixels, which are the same for all channels.

    Args:
        image: The image.
        rows: Places down, in pixels; 0 is the centre of the first.
        columns: Places across.
        mode: `bilinear` or `nearest`.
        padding: What lies outside of the image.
        value: The number that does, for `constant`.

    Returns:
        `[C, *rows.shape]`.

    Raises:
        Refusal: For another mode or padding, a place that is no number, and one between two pixels of which
            either could be the nearest, unless they are equal.
    """
    require(padding in _PADDINGS, f"`padding_mode` is `{padding}`")
    require(bool(np.isfinite(rows).all() and np.isfinite(columns).all()), "a coordinate is not finite")
    if mode == "nearest":
        return _nearest(image, rows, columns, padding, value)
    require(mode == "bilinear", f"`sampling_mode` is `{mode}`")
    top, left = np.floor(rows), np.floor(columns)
    down, across = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    lines = []
    for row in (top, top + 1):
        first, second = (_pick(image, row, column, padding, value) for column in (left, left + 1))
        lines.append(first * (1 - across) + second * across)
    return np.asarray(lines[0] * (1 - down) + lines[1] * down)


def _nearest(image: Array, rows: Array, columns: Array, padding: str, value: float) -> Array:
    up = _pick(image, np.floor(rows + 0.5), np.floor(columns + 0.5), padding, value)
    down = _pick(image, np.ceil(rows - 0.5), np.ceil(columns - 0.5), padding, value)
    same = np.array_equal(up, down, equal_nan=True)
    require(same, "a place is as near to one pixel as to another; which is taken is not specified")
    return up


def _pick(image: Array, rows: Array, columns: Array, padding: str, value: float) -> Array:
    height, width = image.shape[1:]
    picked = image[:, _inside(rows, height, padding), _inside(columns, width, padding)]
    if padding != "constant":
        return picked
    known = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return np.where(known, picked, np.float32(value))


def _inside(places: Array, size: int, padding: str) -> Array:
    """Maps whole places to those of an axis, as an image that is padded so looks."""
    # Beyond so many turns of a reflection floats are too coarse to tell.
    whole = np.clip(places, -(2.0**52), 2.0**52).astype(np.int64)
    if padding in ("constant", "border") or size == 1:
        return np.clip(whole, 0, size - 1)
    period = 2 * size if padding == "symmetric" else 2 * size - 2
    folded = whole % period
    return np.minimum(folded, (2 * size - 1 if padding == "symmetric" else 2 * size - 2) - folded)


def _pixels(places: Array, size: int, mode: str, align_corners: bool) -> Array:
    """Makes pixels of coordinates, in float64."""
    wide: Array = places.astype(np.float64)
    if mode == "unnormalized":
        return wide
    if mode == "normalized_minus_one_to_one":
        wide = (wide + 1) / 2
    elif mode != "normalized_zero_to_one":
        raise Refusal(f"`coordinates_mode` is `{mode}`")
    return wide * (size - 1) if align_corners else wide * size - 0.5


@evaluates("crop_resize")
def crop_resize_15(
    x: Real,
    roi: Array,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
) -> Array:
    """Resizes parts of images; what lies outside of an image is not specified."""
    sizes = target_height, target_width
    return _by_roi(
        x, roi, sizes, normalized_coordinates, spatial_scale, box_coordinate_mode, sampling_mode, None
    )


@evaluates("crop_resize", since=16)
def crop_resize_16(
    x: Real,
    roi: Array,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
) -> Array:
    """Resizes parts of images; a sample outside of an image is `pad_value`."""
    sizes = target_height, target_width
    return _by_roi(
        x, roi, sizes, normalized_coordinates, spatial_scale, box_coordinate_mode, sampling_mode, pad_value
    )


@evaluates("crop_resize", since=17)
def crop_resize_17(
    x: Real,
    boxes: Array,
    box_indices: Array | None = None,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST",
    sampling_mode: str = "DEFAULT",
    pad_value: float = 0.0,
) -> Array:
    """Resizes parts `[M, 4]` of images that indices choose."""
    require(x.ndim == 4 and boxes.ndim == 2 and boxes.shape[1] == 4, "x or boxes do not fit")
    indices = np.arange(len(boxes)) if box_indices is None else box_indices
    require(indices.shape == (len(boxes),), "there is not one index for each box")
    claim((len(boxes), x.shape[1], target_height, target_width))
    chosen = within(indices, x.shape[0], negative=False)
    scaled = boxes.astype(np.float64) * spatial_scale
    ends = _ends(scaled, box_coordinate_mode, normalized_coordinates, x.shape[2:])
    return np.stack(
        [
            _part(x[i], box, (target_height, target_width), sampling_mode, pad_value)
            for i, box in zip(chosen, ends, strict=True)
        ]
    )


def _by_roi(
    x: Array,
    roi: Array,
    sizes: tuple[int, int],
    normalized: bool,
    scale: float,
    order: str,
    mode: str,
    pad_value: float | None,
) -> Array:
    fits = roi.ndim == 5 and roi.shape[1] == 1 and roi.shape[2] in (4, 5) and roi.shape[3:] == (1, 1)
    require(x.ndim == 4 and fits, f"x is {list(x.shape)}, `roi` {list(roi.shape)}")
    rows = roi.reshape(roi.shape[0], roi.shape[2]).astype(np.float64)
    claim((len(rows), *x.shape[:2], *sizes))
    boxes = _ends(rows[:, -4:] * scale, order, normalized, x.shape[2:])
    every = np.arange(x.shape[0])
    results = []
    for row, box in zip(rows, boxes, strict=True):
        images = every if len(row) == 4 else within(row[:1].astype(np.int64), x.shape[0], negative=False)
        results.append(np.stack([_part(x[i], box, sizes, mode, pad_value) for i in images]))
    return np.stack(results)


def _ends(boxes: Array, order: str, normalized: bool, sizes: tuple[int, ...]) -> Array:
    """Makes `[top, left, bottom, right]` in pixels of boxes."""
    known = [f"{kind}_{side}_FIRST" for kind in ("CORNERS", "CENTER_SIZE") for side in ("HEIGHT", "WIDTH")]
    require(order in known, f"`box_coordinate_mode` is `{order}`")
    turned: Array = boxes if "HEIGHT" in order else boxes[:, [1, 0, 3, 2]]
    if order.startswith("CENTER"):
        centre, half = turned[:, :2], turned[:, 2:] / 2
        turned = np.concatenate([centre - half, centre + half], 1)
    if not normalized:
        return turned
    height, width = sizes
    return np.asarray(turned * np.array([height - 1, width - 1] * 2, np.float64))


def _part(image: Array, box: Array, sizes: tuple[int, int], mode: str, pad_value: float | None) -> Array:
    rows = _line(box[0], box[2], sizes[0], mode)[:, None]
    columns = _line(box[1], box[3], sizes[1], mode)[None, :]
    height, width = image.shape[1:]
    known = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    require(pad_value is not None or bool(known.all()), "a box reaches beyond the image")
    shape = np.broadcast_shapes(rows.shape, columns.shape)
    inner = sample(
        image, np.broadcast_to(rows, shape), np.broadcast_to(columns, shape), "bilinear", "border", 0.0
    )
    return np.where(known, inner, np.float32(pad_value or 0))


def _line(start: float, end: float, count: int, mode: str) -> Array:
    """Returns where a box is sampled along one axis."""
    aligned = mode in ("ALIGN_CORNERS", "STRICT_ALIGN_CORNERS")
    require(aligned or end >= start, f"a box that ends before it starts is not specified for `{mode}`")
    return start + grid(mode, end - start + 1, count)
