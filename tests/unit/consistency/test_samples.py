from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from safetensors.numpy import save_file

from edgekit.consistency.samples import given_samples, golden_samples, split
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model, TensorSpec

F32 = np.dtype(np.float32)
node = helper.make_node


def spec(name: str, *shape: int | str | None) -> TensorSpec:
    return TensorSpec(name, F32, shape)


def rows(count: int, *shape: int) -> np.ndarray:
    return np.arange(count * int(np.prod(shape)), dtype=np.float32).reshape(count, *shape)


@pytest.fixture
def two(make_model: Callable[..., Model]) -> Model:
    """a [1, 2] + b [1, 2]."""
    inputs = {"a": ("FLOAT", [1, 2]), "b": ("FLOAT", [1, 2])}
    return make_model([node("Add", ["a", "b"], ["y"])], inputs, {"y": ("FLOAT", [1, 2])})


@pytest.fixture
def free(make_model: Callable[..., Model]) -> Model:
    """-x with a free batch."""
    io = {"x": ("FLOAT", ["N", 2])}, {"y": ("FLOAT", ["N", 2])}
    return make_model([node("Neg", ["x"], ["y"])], *io)


def shapes(samples: list) -> list[tuple[int, ...]]:
    return [s["x"].shape for s in samples]


def test_a_fixed_batch_is_split_off_the_leading_axis() -> None:
    assert shapes(split([spec("x", 1, 3)], {"x": rows(4, 3)})) == [(1, 3)] * 4
    assert shapes(split([spec("x", 2, 3)], {"x": rows(4, 3)})) == [(2, 3)] * 2


def test_what_fits_already_stays_whole() -> None:
    assert shapes(split([spec("x", 4, 3)], {"x": rows(4, 3)})) == [(4, 3)]
    assert shapes(split([spec("x", 3, 3)], {"x": rows(4, 3)})) == [(4, 3)]  # the check refuses it


def test_an_axis_more_than_the_input_is_a_stack() -> None:
    assert shapes(split([spec("x", 3)], {"x": rows(4, 3)})) == [(3,)] * 4


def test_a_free_batch_is_run_alone_and_by_three() -> None:
    parts = split([spec("x", "N", 3)], {"x": rows(6, 3)})
    assert shapes(parts) == [(1, 3), (3, 3), (1, 3), (1, 3)]
    whole = np.concatenate([parts[i]["x"] for i in (0, 2, 3, 1)])
    np.testing.assert_array_equal(whole, rows(6, 3))


def test_inputs_that_do_not_split_alike_stay_whole() -> None:
    specs = [spec("x", 1, 3), spec("h", 2, 1, 3)]
    assert len(split(specs, {"x": rows(4, 3), "h": rows(2, 1, 3)})) == 1


def test_one_sample(two: Model) -> None:
    given = {"a": rows(1, 2), "b": rows(1, 2)}
    samples = given_samples(two, given)
    assert (samples.kind, len(samples.arrays)) == ("given", 1)


def test_several_samples(two: Model) -> None:
    given = [{"a": rows(1, 2), "b": rows(1, 2) + i} for i in range(3)]
    assert len(given_samples(two, given).arrays) == 3
    assert len(given_samples(two, given, count=2).arrays) == 2


def test_no_sample(two: Model) -> None:
    with pytest.raises(EdgekitError, match="no input samples"):
        given_samples(two, [])


def test_files(two: Model, free: Model, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", a=rows(5, 2), b=rows(5, 2))
    save_file({"a": rows(5, 2), "b": rows(5, 2)}, tmp_path / "s.safetensors")
    np.save(tmp_path / "s.npy", rows(2, 2))
    for name in ("s.npz", "s.safetensors"):
        assert len(given_samples(two, tmp_path / name).arrays) == 5
    assert len(given_samples(free, str(tmp_path / "s.npy")).arrays) == 2


def code(model: Model, given: object) -> str:
    with pytest.raises(EdgekitError) as error:
        given_samples(model, given)  # type: ignore[arg-type]
    return " ".join(f"{d.code} {d.message}" for d in error.value.diagnostics)


def test_what_does_not_fit_is_said_at_once(two: Model) -> None:
    said = code(two, {"a": np.zeros((1, 3)), "c": np.zeros(1)})
    assert said.count("EK505") == 3
    assert "no input `c`" in said
    assert "`b` is missing" in said


def test_bad_files(two: Model, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("1 2")
    np.save(tmp_path / "s.npy", rows(2, 2))
    np.save(tmp_path / "p.npy", np.array([{}], object), allow_pickle=True)
    for name in ("s.npz", "s.safetensors"):
        (tmp_path / name).write_bytes(b"garbage")
        assert code(two, tmp_path / name).startswith("EK505")
    assert code(two, tmp_path / "none.npz").startswith("EK101")
    assert code(two, tmp_path).startswith("EK101")
    assert "no known kind" in code(two, tmp_path / "s.txt")
    assert "2 inputs" in code(two, tmp_path / "s.npy")


def test_a_pickle_is_not_loaded(free: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.array([{}], object), allow_pickle=True)
    assert code(free, tmp_path / "p.npy").startswith("EK505")


def test_golden_samples_lie_beside_the_model(two: Model, tmp_path: Path) -> None:
    model = replace(two, path=tmp_path / "m.onnx")
    assert golden_samples(two, 4) is None
    assert golden_samples(model, 4) is None
    save_file({"a": rows(5, 2), "b": rows(5, 2), "output:y": rows(5, 2)}, tmp_path / "samples.safetensors")
    golden = golden_samples(model, 4)
    assert golden is not None
    assert (golden.kind, len(golden.arrays), golden.notes) == ("golden", 4, ())
    assert set(golden.arrays[0]) == {"a", "b"}


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"a": rows(5, 2)}, "no array 'b'"),
        ({"a": rows(5, 2), "b": rows(5, 3)}, "shape"),
        ({"a": rows(5, 2), "b": rows(5, 2).astype(np.float64)}, "dtype"),
    ],
)
def test_golden_samples_of_another_model_are_not_used(
    two: Model, tmp_path: Path, arrays: dict, why: str
) -> None:
    save_file(arrays, tmp_path / "samples.safetensors")
    golden = golden_samples(replace(two, path=tmp_path / "m.onnx"), 4)
    assert golden is not None
    assert golden.arrays == ()
    assert why in golden.notes[0]
