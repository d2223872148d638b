from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.diagnostics import EdgekitError
from edgekit.runners import ALL_INTERMEDIATES
from edgekit.runners.litert import Kernels, LiteRtRunner

Make = Callable[..., bytes]


@pytest.fixture
def chain(make_tflite: Make) -> bytes:
    """exp(-x), batch free, with a signature."""
    tensors = dict.fromkeys(("x", "t", "y"), ("FLOAT32", (-1, 3), None))
    ops = [("NEG", ["x"], ["t"]), ("EXP", ["t"], ["y"])]
    return make_tflite(tensors, ops, ["x"], ["y"], signature=({"image": "x"}, {"score": "y"}))


def test_ports_tell_free_sizes_and_signature_names(chain: bytes) -> None:
    ports = LiteRtRunner().ports(chain)
    assert [(p.name, p.alias, p.shape) for p in ports.inputs] == [("x", "image", (None, 3))]
    assert [(p.name, p.alias, p.dtype) for p in ports.outputs] == [("y", "score", np.float32)]


@pytest.mark.parametrize("kernels", list(Kernels))
def test_batches_of_any_size(chain: bytes, kernels: Kernels) -> None:
    runner = LiteRtRunner(kernels=kernels)
    for batch in (1, 4, 2, 0, 1):
        x = np.linspace(-1, 1, batch * 3, dtype=np.float32).reshape(batch, 3)
        np.testing.assert_allclose(runner.run(chain, {"image": x})["y"], np.exp(-x), rtol=1e-6)


def test_outputs_are_copies(chain: bytes) -> None:
    runner = LiteRtRunner()
    first = runner.run(chain, {"x": np.zeros((1, 3), np.float32)})["y"]
    runner.run(chain, {"x": np.ones((1, 3), np.float32)})
    np.testing.assert_array_equal(first, 1)


def test_intermediates_are_those_that_ops_make(chain: bytes) -> None:
    runner, x = LiteRtRunner(), np.full((1, 3), 2, np.float32)
    results = runner.run(chain, {"x": x}, intermediates=["t", "x", "nowhere"])
    assert list(results) == ["y", "t"]
    np.testing.assert_array_equal(results["t"], -x)
    assert list(runner.run(chain, {"x": x}, intermediates=ALL_INTERMEDIATES)) == ["y", "t"]
    assert list(runner.run(chain, {"x": x})) == ["y"]


def test_fixed_sizes_are_not_resized(make_tflite: Make) -> None:
    payload = make_tflite(dict.fromkeys("xy", ("FLOAT32", (2,), None)), [("NEG", ["x"], ["y"])], ["x"], ["y"])
    with pytest.raises(EdgekitError) as error:
        LiteRtRunner().run(payload, {"x": np.zeros(3, np.float32)})
    assert error.value.diagnostics[0].code == "EK505"


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("INT64", np.int64),
        ("INT32", np.int32),
        ("INT8", np.int8),
        ("FLOAT16", np.float16),
        ("BOOL", np.bool_),
    ],
)
def test_dtypes(make_tflite: Make, kind: str, dtype: type) -> None:
    shape = np.array([4], np.int32)
    tensors = {"x": (kind, (2, 2), None), "s": ("INT32", (1,), shape), "y": (kind, (4,), None)}
    payload = make_tflite(tensors, [("RESHAPE", ["x", "s"], ["y"])], ["x"], ["y"])
    x = np.array([[0, 1], [1, 0]], dtype)
    out = LiteRtRunner().run(payload, {"x": x})["y"]
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, x.reshape(4))


def test_nan_and_infinities_are_kept(make_tflite: Make) -> None:
    payload = make_tflite(dict.fromkeys("xy", ("FLOAT32", (3,), None)), [("NEG", ["x"], ["y"])], ["x"], ["y"])
    x = np.array([np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(LiteRtRunner().run(payload, {"x": x})["y"], -x)


def test_names_that_repeat_or_are_empty_are_made_distinct(make_tflite: Make) -> None:
    tensors = dict.fromkeys(("a", "b", "y", "z"), ("FLOAT32", (1,), None))
    payload = make_tflite(
        tensors,
        [("NEG", ["a"], ["y"]), ("NEG", ["b"], ["z"])],
        ["a", "b"],
        ["y", "z"],
        names={"b": "a", "y": "", "z": "out"},
    )
    runner = LiteRtRunner()
    assert [p.name for p in runner.ports(payload).inputs] == ["a#0", "a#1"]
    one, two = np.ones(1, np.float32), np.full(1, 2, np.float32)
    results = runner.run(payload, {"a#0": one, "a#1": two})
    assert {k: v.tolist() for k, v in results.items()} == {"output_0": [-1.0], "out": [-2.0]}


@pytest.mark.parametrize("payload", [b"garbage", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_what_is_no_model_is_refused(payload: bytes) -> None:
    with pytest.raises(EdgekitError) as error:
        LiteRtRunner().ports(payload)
    assert error.value.diagnostics[0].code == "EK503"


def test_an_empty_payload_is_refused() -> None:
    with pytest.raises(EdgekitError) as error:
        LiteRtRunner().ports(b"")
    assert error.value.diagnostics[0].code == "EK503"


def test_a_failure_while_running_is_refused_and_the_next_run_works(make_tflite: Make) -> None:
    table = np.arange(3, dtype=np.float32)
    tensors = {"w": ("FLOAT32", (3,), table), "i": ("INT32", (1,), None), "y": ("FLOAT32", (1,), None)}
    payload = make_tflite(tensors, [("GATHER", ["w", "i"], ["y"])], ["i"], ["y"])
    runner = LiteRtRunner()
    with pytest.raises(EdgekitError) as error:
        runner.run(payload, {"i": np.array([9], np.int32)})
    assert error.value.diagnostics[0].code == "EK503"
    assert runner.run(payload, {"i": np.array([2], np.int32)})["y"].tolist() == [2.0]


@pytest.mark.corpus
def test_a_file_that_litert_refuses_says_why(corpus: Path) -> None:
    with pytest.raises(EdgekitError) as error:
        LiteRtRunner().ports(corpus / "tflite_micro" / "person_detect.tflite")
    assert "quantized_dimension" in error.value.diagnostics[0].notes[0]


@pytest.mark.corpus
def test_a_trained_file_runs(corpus: Path) -> None:
    path = corpus / "tflite_micro" / "hello_world_float.tflite"
    x = np.array([[0.5], [1.5]], np.float32)
    (y,) = LiteRtRunner().run(path, {"dense_input": x}).values()
    np.testing.assert_allclose(y, np.sin(x), atol=0.15)
