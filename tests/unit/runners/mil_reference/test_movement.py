from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .ops import floats, ints, refused, run

GRID = np.arange(24, dtype=np.int32).reshape(2, 3, 4)


def test_reshape_keeps_or_infers_sizes() -> None:
    assert run("reshape", x=GRID, shape=[4, -1]).shape == (4, 6)
    assert run("reshape", x=GRID, shape=[0, -1, 2]).shape == (2, 6, 2)
    assert "rank" in refused("reshape", x=GRID, shape=[0, -1])
    # From iOS 17 on, 0 counts from the end.
    assert run("reshape", 17, x=GRID, shape=[-1, 0]).shape == (6, 4)
    assert run("reshape", 17, x=ints(np.zeros((2, 50))), shape=[1, 0, -1, 0]).shape == (1, 1, 2, 50)
    assert "cannot become" in refused("reshape", x=GRID, shape=[5, -1])
    assert "`shape`" in refused("reshape", x=GRID, shape=[-1, -1])


def test_sizes_of_other_tensors() -> None:
    refs = (ints(np.zeros((2, 3, 4))), ints(np.zeros((1, 5, 4))))
    found = run(
        "reshape_like", 16, x=GRID, ref_tensors=refs, begins=(0, 2), ends=(2, 0), end_masks=(False, True)
    )
    assert found.shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("op", "given", "shape"),
    [
        ("flatten2d", {"axis": -1}, (6, 4)),
        ("flatten2d", {"axis": 1}, (2, 12)),
        ("expand_dims", {"axes": [0, -1]}, (1, 2, 3, 4, 1)),
        ("transpose", {"perm": [-1, 0, 1]}, (4, 2, 3)),
        ("squeeze", {"axes": [0]}, (2, 3, 4)),
        ("tile", {"reps": [1, 2, 3]}, (2, 6, 12)),
        ("shape", {}, (3,)),
    ],
)
def test_shapes(op: str, given: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert run(op, x=GRID, **given).shape == shape


def test_movement_of_elements() -> None:
    assert run("transpose", x=GRID, perm=[2, 0, 1])[3, 1, 2] == GRID[1, 2, 3]
    assert run("squeeze", x=GRID[:1, :, :1]).shape == (3,)
    assert run("tile", x=ints([1, 2]), reps=[2]).tolist() == [1, 2, 1, 2]
    assert run("reverse", x=ints([[1, 2], [3, 4]]), axes=[1]).tolist() == [[2, 1], [4, 3]]
    assert run("reverse", x=ints([[1, 2], [3, 4]])).tolist() == [[4, 3], [2, 1]]
    x = ints([[1, 2, 3], [4, 5, 6]])
    found = run("reverse_sequence", x=x, lengths=[2, 3], seq_axis=1, batch_axis=0)
    assert found.tolist() == [[2, 1, 3], [6, 5, 4]]
    assert run("band_part", x=ints(np.ones((3, 3))), lower=0, upper=1).tolist() == [
        [1, 1, 0],
        [0, 1, 1],
        [0, 0, 1],
    ]
    found = run("sliding_windows", x=ints([1, 2, 3, 4, 5]), axis=0, size=3, stride=2)
    assert found.tolist() == [[1, 2, 3], [3, 4, 5]]


def test_joining_and_cutting() -> None:
    a, b = ints([[1, 2], [3, 4]]), ints([[5, 6], [7, 8]])
    assert run("concat", values=(a, b), axis=1).tolist() == [[1, 2, 5, 6], [3, 4, 7, 8]]
    assert run("concat", values=(a, b), axis=0, interleave=True).tolist() == [[1, 2], [5, 6], [3, 4], [7, 8]]
    assert run("stack", values=(a, b), axis=-1).tolist() == [[[1, 5], [2, 6]], [[3, 7], [4, 8]]]
    first, second = run("split", x=GRID, axis=2, split_sizes=[1, 3])
    assert (first.shape, second.shape) == ((2, 3, 1), (2, 3, 3))
    assert [p.tolist() for p in run("split", x=ints([1, 2, 3, 4]), axis=0, num_splits=2)] == [[1, 2], [3, 4]]
    assert "equal parts" in refused("split", x=GRID, axis=1, num_splits=2)
    assert "split_sizes" in refused("split", x=GRID, axis=1, split_sizes=[1, 1])
    assert "one type" in refused("concat", values=(a, b.astype(np.float32)), axis=0)


def test_slices() -> None:
    x = ints([0, 1, 2, 3, 4, 5])
    assert run("slice_by_index", x=x, begin=[1], end=[-1], stride=[2]).tolist() == [1, 3]
    assert run("slice_by_index", x=x, begin=[-2], end=[0], end_mask=[True]).tolist() == [4, 5]
    backwards = {"begin": [0], "end": [0], "stride": [-2], "begin_mask": [True], "end_mask": [True]}
    assert run("slice_by_index", x=x, **backwards).tolist() == [5, 3, 1]
    single = run("slice_by_index", x=GRID, begin=[1, 0, -1], end=[0, 2, 0], squeeze_mask=[True, False, True])
    assert single.tolist() == [15, 19]
    assert "no element" in refused("slice_by_index", x=x, begin=[6], end=[7], squeeze_mask=[True])
    assert run("slice_by_size", x=GRID, begin=[1, 1, 0], size=[1, -1, 2]).tolist() == [[[16, 17], [20, 21]]]
    assert "`size`" in refused("slice_by_size", x=x, begin=[4], size=[3])
    assert run("slice_update", 18, x=x, update=[8, 9], begin=[1], end=[5], stride=[3]).tolist() == [
        0,
        8,
        2,
        3,
        9,
        5,
    ]
    assert x.tolist() == [0, 1, 2, 3, 4, 5], "the input stays"
    assert "the slice" in refused("slice_update", 18, x=x, update=[8], begin=[1], end=[5])


def test_blocks() -> None:
    x = ints(np.arange(4).reshape(1, 4, 1, 1))
    assert run("depth_to_space", x=x, block_size=2)[0, 0].tolist() == [[0, 1], [2, 3]]
    x = ints(np.arange(8).reshape(1, 8, 1, 1))
    assert run("depth_to_space", x=x, block_size=2)[0].tolist() == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    assert run("pixel_shuffle", x=x, upscale_factor=2)[0].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    for there, back, name in (
        ("space_to_depth", "depth_to_space", "block_size"),
        ("pixel_unshuffle", "pixel_shuffle", "scale_factor"),
    ):
        image = ints(np.arange(48).reshape(1, 3, 4, 4))
        down = {name if name == "block_size" else f"down{name}": 2}
        up = {name if name == "block_size" else f"up{name}": 2}
        np.testing.assert_array_equal(run(back, x=run(there, 16, x=image, **down), **up), image)
    image = ints(np.arange(4).reshape(1, 1, 2, 2))
    batch = run("space_to_batch", x=image, block_shape=[2, 2], paddings=ints([[0, 0], [0, 0]]))
    assert batch.reshape(-1).tolist() == [0, 1, 2, 3]
    padded = run("space_to_batch", x=image, block_shape=[1, 3], paddings=ints([[0, 0], [1, 0]]))
    assert padded.reshape(3, 2).tolist() == [[0, 0], [0, 2], [1, 3]]
    back = run("batch_to_space", x=padded, block_shape=[1, 3], crops=ints([[0, 0], [1, 0]]))
    np.testing.assert_array_equal(back, image)


def test_padding() -> None:
    x = floats([[1, 2, 3]])
    assert run("pad", x=x, pad=[1, 2], constant_val=9.0).tolist() == [[9, 1, 2, 3, 9, 9]]
    assert run("pad", x=x, pad=[1, 0, 0, 1]).tolist() == [[0, 0, 0, 0], [1, 2, 3, 0]]
    assert run("pad", x=x, pad=[2, 1], mode="reflect").tolist() == [[3, 2, 1, 2, 3, 2]]
    assert run("pad", x=x, pad=[2, 1], mode="replicate").tolist() == [[1, 1, 1, 2, 3, 3]]
    assert "more than" in refused("pad", x=x, pad=[3, 0], mode="reflect")
    assert "`mode`" in refused("pad", x=x, pad=[1, 1], mode="wrap")
    image = floats(np.arange(9).reshape(1, 3, 3))
    assert run("crop", x=image, crop_height=[1, 0], crop_width=[0, 2]).tolist() == [[[3], [6]]]


def test_gathering() -> None:
    x = ints([[1, 2, 3], [4, 5, 6]])
    assert run("gather", x=x, indices=[2, -3], axis=1).tolist() == [[3, 1], [6, 4]]
    assert run("gather", x=x, indices=ints(1), axis=0).tolist() == [4, 5, 6]
    assert run("gather", x=x, indices=[[0, 1]], axis=0).shape == (1, 2, 3)
    batched = run("gather", 16, x=x, indices=[[2], [0]], axis=1, batch_dims=1)
    assert batched.tolist() == [[3], [4]]
    assert "outside" in refused("gather", x=x, indices=[3], axis=1)
    assert "outside" in refused("gather", 17, x=x, indices=[-1], axis=1)
    assert run("gather_along_axis", x=x, indices=[[0, 2], [1, 1]], axis=1).tolist() == [[1, 3], [5, 5]]
    assert "outside" in refused("gather_along_axis", 17, x=x, indices=[[-1], [0]], axis=1)
    assert run("gather_nd", x=x, indices=[[0, 2], [1, 0]]).tolist() == [3, 4]
    assert run("gather_nd", x=x, indices=[[1]]).tolist() == [[4, 5, 6]]
    assert run("gather_nd", 16, x=x, indices=[[2], [0]], batch_dims=1).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("add", [11, 2, 63]),
        ("sub", [-9, 2, -57]),
        ("mul", [10, 2, 3 * 20 * 40]),
        ("max", [10, 2, 40]),
        ("min", [1, 2, 3]),
        ("update", [10, 2, 40]),
    ],
)
def test_scattering(mode: str, wanted: list[int]) -> None:
    # The last place is changed twice: by 20, then by 40.
    data, indices, updates = ints([1, 2, 3]), ints([0, 2, 2]), ints([10, 20, 40])
    for ios in (15, 17):
        assert run("scatter", ios, data=data, indices=indices, updates=updates, mode=mode).tolist() == wanted
        assert (
            run("scatter_along_axis", ios, data=data, indices=indices, updates=updates, mode=mode).tolist()
            == wanted
        )
        nd = run("scatter_nd", ios, data=data, indices=indices[:, None], updates=updates, mode=mode)
        assert nd.tolist() == wanted
    assert data.tolist() == [1, 2, 3]


def test_scattering_along_axes() -> None:
    data = ints(np.zeros((2, 3)))
    found = run("scatter", data=data, indices=[2, 0], updates=[[1, 2], [3, 4]], axis=1, mode="update")
    assert found.tolist() == [[2, 0, 1], [4, 0, 3]]
    found = run(
        "scatter_along_axis", data=data, indices=[[1], [2]], updates=[[5], [6]], axis=1, mode="update"
    )
    assert found.tolist() == [[0, 5, 0], [0, 0, 6]]
    found = run("scatter_nd", data=data, indices=[[1]], updates=[[7, 8, 9]], mode="update")
    assert found.tolist() == [[0, 0, 0], [7, 8, 9]]
    np.testing.assert_array_equal(
        run("scatter", data=floats([8, 9]), indices=[0], updates=floats([2]), mode="div"), [4, 9]
    )
    assert "updates" in refused("scatter", data=data, indices=[0], updates=[[1]], axis=1)
    assert "outside" in refused("scatter_nd", 17, data=data, indices=[[2]], updates=[[7, 8, 9]])


def test_tensors_that_are_made() -> None:
    assert run("fill", shape=[2], value=ints(7)).tolist() == [7, 7]
    assert run("fill", shape=[1], value=floats(0.1, np.float16)).dtype == np.float16
    assert run("fill_like", 16, ref_tensor=GRID, value=floats(2)).shape == (2, 3, 4)
    assert run("range_1d", start=1, end=6, step=2).tolist() == [1, 3, 5]
    assert run("range_1d", start=1.0, end=0.0, step=-0.5).tolist() == [1, 0.5]
    hot = run("one_hot", indices=[1, 3], one_hot_vector_size=3, on_value=5, off_value=-1)
    assert hot.tolist() == [[-1, 5, -1], [-1, -1, -1]]
    assert run("one_hot", indices=[1, 0], one_hot_vector_size=2, axis=0).tolist() == [[0, 1], [1, 0]]
    assert run("non_zero", x=floats([[0, 2], [3, 0]])).tolist() == [[0, 1], [1, 0]]
    assert run("cumsum", x=ints([1, 2, 3])).tolist() == [1, 3, 6]
    assert run("cumsum", x=ints([1, 2, 3]), exclusive=True, reverse=True).tolist() == [5, 3, 0]
    assert "elements" in refused("fill", shape=[2**20, 2**20], value=1)


def test_order() -> None:
    x = floats([3, 1, 3, 2])
    assert run("argsort", x=x).tolist() == [0, 2, 3, 1]
    assert run("argsort", x=x, ascending=True).tolist() == [1, 3, 0, 2]
    values, indices = run("topk", x=x, k=2)
    assert (values.tolist(), indices.tolist()) == ([3, 3], [0, 2])
    values, indices = run("topk", x=ints([[1, 2], [0, 5]]), k=1, axis=0, ascending=True)
    assert (values.tolist(), indices.tolist()) == ([[0, 2]], [[1, 0]])
    assert run("topk", 16, x=x, k=1, return_indices=False).tolist() == [3]
    values, indices = run("topk", 17, x=x, k=-1, output_indices_dtype="uint16")
    assert (len(values), indices.dtype) == (4, np.uint16)
    assert "`k`" in refused("topk", x=x, k=5)


def test_suppression() -> None:
    boxes = floats([[[0, 0, 2, 2], [0.5, 0, 2, 2], [9, 9, 2, 2], [9, 9, 2, 2]]])
    scores = floats([[[0.5, 0], [0, 0.9], [0.3, 0], [0.1, 0]]])
    given = {"boxes": boxes, "scores": scores, "iou_threshold": 0.5, "max_boxes": 3}
    kept, their, where, count = run("non_maximum_suppression", score_threshold=0.2, **given)
    assert where.tolist() == [[1, 2, -1]]
    assert count.tolist() == [2]
    np.testing.assert_array_equal(kept[0], [*boxes[0, [1, 2]], [0, 0, 0, 0]])
    np.testing.assert_array_equal(their[0], [*scores[0, [1, 2]], [0, 0]])
    *_, where, _ = run("non_maximum_suppression", score_threshold=0.2, per_class_suppression=True, **given)
    assert where.tolist() == [[1, 0, 2]]
    turned = given | {"boxes": boxes.swapaxes(1, 2), "scores": scores.swapaxes(1, 2)}
    kept, their, where = run("non_maximum_suppression", 17, **turned)
    assert (kept.shape, their.shape, where.tolist()) == ((1, 4, 3), (1, 2, 3), [[1, 2, -1]])
    assert "not specified" in refused("non_maximum_suppression", score_threshold=1.0, **given)
