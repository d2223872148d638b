"""Single ops as libraries of TVM against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx.parser
import pytest

from edgekit import api
from edgekit.runners import runner_for
from edgekit.runners.execute import ArtifactRunner
from tests.ops.conftest import Array, compare, node_model

pytest.importorskip("tvm", reason="apache-tvm is not installed")
Check = Callable[..., list[Array]]


@pytest.fixture(scope="module")
def check() -> Iterator[Check]:
    """Runs one node as a library and in ONNX Runtime, in this process: TVM takes seconds to import."""
    with runner_for("tvm", isolate=False) as tvm, runner_for("onnx", isolate=False) as ort:

        def run(
            op: str,
            inputs: Sequence[Any],
            attrs: Mapping[str, Any] | None = None,
            *,
            outputs: int = 1,
            const: Collection[int] = (),
            dynamic: Any = (),
            expected: Sequence[Any] | None = None,
            tolerance: float = 2e-5,
        ) -> list[Array]:
            arrays = [None if a is None else np.asarray(a) for a in inputs]
            model = node_model(op, arrays, attrs, outputs, const, dynamic, 26)
            feed = {f"x{i}": a for i, a in enumerate(arrays) if a is not None and i not in const}
            want = expected or list(ort.run(model.SerializeToString(), feed).values())
            artifact = api.convert(model, "tvm", verify=False)
            with ArtifactRunner(artifact, tvm) as running:
                got = list(running.run(feed).values())
            for value, wanted in zip(got, want, strict=True):
                assert value.dtype == wanted.dtype
                assert value.shape == wanted.shape
                compare(value, wanted, tolerance, tolerance)
            return got

        yield run


def test_layers_with_a_symbolic_batch(check: Check, draw: Callable[..., Array]) -> None:
    """The batch stays open, whatever else the op does."""
    x, w, bias = draw("float32", 3, 4, 9, 7), draw("float32", 6, 2, 3, 3), draw("float32", 6)
    conv = {"group": 2, "strides": [2, 1], "pads": [0, 1, 2, 1], "dilations": [1, 2]}
    check("Conv", [x, w, bias], conv, const=[1, 2], dynamic={0: [0]}, tolerance=1e-4)
    pool = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1], "ceil_mode": 1}
    check("AveragePool", [x], pool, dynamic={0: [0]})
    check("MaxPool", [x], pool, outputs=2, dynamic={0: [0]})
    check("ReduceMean", [x, np.array([1, 3])], const=[1], dynamic={0: [0]})
    check("Gemm", [draw("float32", 5, 4), draw("float32", 6, 4)], {"transB": 1}, const=[1], dynamic={0: [0]})


def test_convolutions_of_other_ranks(check: Check, draw: Callable[..., Array]) -> None:
    check(
        "Conv", [draw("float32", 2, 3, 11), draw("float32", 4, 3, 4)], {"auto_pad": "SAME_LOWER"}, const=[1]
    )
    check("Conv", [draw("float32", 1, 2, 4, 5, 6), draw("float32", 3, 2, 2, 3, 2)], const=[1], tolerance=1e-4)
    transposed = {"strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 0], "group": 2}
    operands = [draw("float32", 1, 4, 5, 4), draw("float32", 4, 3, 3, 3), draw("float32", 6)]
    check("ConvTranspose", operands, transposed, const=[1, 2], tolerance=1e-4)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_integers_wrap_and_truncate(check: Check, draw: Callable[..., Array], dtype: str) -> None:
    x, y = draw(dtype, 4, 5), draw(dtype, 5)
    with np.errstate(over="ignore"):
        check("Mul", [x, y], expected=[x * y])
        check("Add", [x, y], expected=[x + y])
    y[y == 0] = 3
    quotient = np.trunc(x.astype(object) / y) if dtype in ("int8", "uint8") else None
    if quotient is not None:
        check("Div", [x, y], expected=[quotient.astype(dtype)])
    check("Mod", [x, y], expected=[np.mod(x, y)])


def test_nan_and_infinity_pass(check: Check) -> None:
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 2.5, -2.5], np.float32)
    y = np.array([1, np.nan, 0, 0, -3, -1], np.float32)
    for op in ("Max", "Min"):
        check(op, [x, y])
    for op in ("Relu", "Round", "Sign", "Abs", "IsNaN", "Tanh", "Sigmoid", "Exp"):
        check(op, [x])
    check("ArgMax", [x], {"axis": 0}, expected=[np.array([0])])


def test_reductions_of_nothing(check: Check) -> None:
    """TVM's loops would leave the result of an axis without elements undefined."""
    empty = np.zeros((2, 0, 3), np.float32)
    shape = (2, 1, 3)
    for op, result in (("ReduceSum", 0), ("ReduceProd", 1), ("ReduceMax", -np.inf), ("ReduceMin", np.inf)):
        want = np.full(shape, result, np.float32)
        check(op, [empty, np.array([1])], const=[1], expected=[want])
        check(op, [empty, np.array([1])], const=[1], dynamic={0: [1]}, expected=[want])


def test_sizes_computed_at_run_time(check: Check, draw: Callable[..., Array]) -> None:
    x = draw("float32", 4, 6)
    check("Reshape", [x, np.array([2, -1, 3])])
    check(
        "Slice", [x, np.array([3, -1]), np.array([-99, 2]), np.array([0, 1]), np.array([-1, -2])], const=[3]
    )
    check("Expand", [x[:1], np.array([5, 6])])
    check("Range", [np.array(7, np.int32), np.array(-2, np.int32), np.array(-3, np.int32)])
    check("NonZero", [x > 0.5])
    check("Pad", [x, np.array([1, -2, 0, 3])], {"mode": "reflect"})
    check("Tile", [x, np.array([2, 1])])


def test_indices_count_from_the_end(check: Check, draw: Callable[..., Array]) -> None:
    x, at = draw("float32", 5, 4), np.array([[-1, 0], [3, -5]])
    check("Gather", [x, at], {"axis": 0})
    check("GatherND", [x, np.array([[-1, 2], [0, -4]])])
    check("ScatterElements", [x, at, draw("float32", 2, 2)], {"reduction": "max"})
    check("ScatterND", [x, np.array([[1], [-1], [1]]), draw("float32", 3, 4)], {"reduction": "add"})


def test_order_and_selection(check: Check) -> None:
    x = np.array([[3, 1, 3, 2, 1], [5, 5, 0, 9, 5]], np.float32)
    check("TopK", [x, np.array([3])], {"largest": 0}, outputs=2, const=[1])
    check("Unique", [x], {"sorted": 0}, outputs=4)
    check("Unique", [x.T], {"axis": 0}, outputs=4)
    check("Compress", [x, np.array([False, True, True])], {"axis": 1})
    check("CumSum", [x, np.array(1)], {"exclusive": 1, "reverse": 1}, const=[1])


def test_quantised_products(check: Check, draw: Callable[..., Array]) -> None:
    x, w = draw("uint8", 1, 3, 6, 6), draw("int8", 4, 3, 3, 3)
    scales = np.array([0.02, 0.01, 0.03, 0.005], np.float32)
    parameters = [
        np.float32(0.05),
        np.uint8(120),
        w,
        scales,
        np.zeros(4, np.int8),
        np.float32(0.9),
        np.uint8(9),
    ]
    operands = [x, *parameters, draw("int32", 4) // 2**21]
    got = check("QLinearConv", operands, {"pads": [1, 1, 1, 1]}, const=range(1, 9))
    assert len(np.unique(got[0])) > 20
    real = draw("float32", 3, 8)
    check("QuantizeLinear", [real, np.float32(0.05), np.int8(3)], const=[1, 2])


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "bfloat16"])
def test_narrow_floats_round_to_even(check: Check, draw: Callable[..., Array], name: str) -> None:
    x, dtype = draw("float32", 200, scale=20.0), np.dtype(getattr(ml_dtypes, name))
    from onnx import helper

    to = helper.np_dtype_to_tensor_dtype(dtype)
    check("Cast", [x], {"to": to}, expected=[x.astype(dtype)])
    check("Cast", [x.astype(dtype)], {"to": 1}, expected=[x.astype(dtype).astype(np.float32)])


def test_recurrent_layers(check: Check, draw: Callable[..., Array]) -> None:
    x, lengths = draw("float32", 5, 3, 4), np.array([5, 2, 4], np.int32)
    for op, gates, more in (("LSTM", 4, {}), ("GRU", 3, {"linear_before_reset": 1}), ("GRU", 3, {})):
        weights = [draw("float32", 2, gates * 6, 4, scale=0.3), draw("float32", 2, gates * 6, 6, scale=0.3)]
        bias = draw("float32", 2, 2 * gates * 6, scale=0.3)
        attrs = {"hidden_size": 6, "direction": "bidirectional", **more}
        check(op, [x, *weights, bias, lengths], attrs, outputs=2, const=[1, 2, 3], tolerance=1e-4)


def test_boxes(check: Check) -> None:
    rng = np.random.default_rng(3)
    corners = rng.random((1, 12, 2), np.float32)
    boxes = np.concatenate([corners, corners + rng.random((1, 12, 2), np.float32)], 2)
    scores = rng.random((1, 2, 12), np.float32).round(1)
    check("NonMaxSuppression", [boxes, scores, np.array([4]), np.float32([0.3]), np.float32([0.2])],
          const=[2, 3, 4])  # fmt: skip


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize(check: Check, draw: Callable[..., Array], mode: str) -> None:
    x = draw("float32", 1, 2, 5, 6)
    check("Resize", [x, None, np.float32([1, 1, 1.6, 0.5])], {"mode": mode}, const=[2], tolerance=1e-4)


def test_resize_of_an_open_size(check: Check, draw: Callable[..., Array]) -> None:
    x = draw("float32", 1, 2, 5, 6)
    attrs = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
    check(
        "Resize", [x, None, np.float32([1, 1, 2, 2])], attrs, const=[2], dynamic={0: [2, 3]}, tolerance=1e-4
    )


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_to_sizes_computed_at_run_time(check: Check, draw: Callable[..., Array], mode: str) -> None:
    x = draw("float32", 1, 2, 5, 6)
    check("Resize", [x, None, None, np.array([1, 2, 8, 3])], {"mode": mode}, dynamic={0: [2]}, tolerance=1e-4)


def test_grid_sample(check: Check, draw: Callable[..., Array]) -> None:
    x, grid = draw("float32", 1, 2, 5, 4), draw("float32", 1, 3, 3, 2, scale=0.8)
    for padding in ("zeros", "border", "reflection"):
        check("GridSample", [x, grid], {"padding_mode": padding, "mode": "linear"}, tolerance=1e-4)


@pytest.mark.parametrize("channels", [258, 256])
@pytest.mark.parametrize("batch", ["3", "N"])
def test_a_spectrum_by_convolution_whose_halves_overlap_in_the_last_tile(batch, channels):
    """Intermediates that share memory would be read after they are overwritten."""
    half = channels // 2
    sizes = "one = Constant <value = int64[1] {1}> () "
    sizes += f"zero = Constant <value = int64[1] {{0}}> () half = Constant <value = int64[1] {{{half}}}> () "
    sizes += f"whole = Constant <value = int64[1] {{{channels}}}> () "
    body = "f = Conv <strides = [64], kernel_shape = [128]> (x, w) "
    body += "re = Slice(f, zero, half, one) im = Slice(f, half, whole, one) "
    body += "a = Mul(re, re) b = Mul(im, im) c = Add(a, b) y = Sqrt(c)"
    graph = f"g (float[{batch},1,320] x) => (float[{batch},{half},4] y) {{ {sizes} {body} }}"
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 17]> {graph}')
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(channels, 1, 128)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    assert api.convert(
        model, "tvm", inputs={"x": rng.normal(size=(3, 1, 320)).astype(np.float32)}
    ).verification.holds


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [[1, -2], [-1, 2], [3, 3], [-2, -1], [2, -1]])
def test_pads_that_cut_off_come_before_those_that_add(check, mode, pads):
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    check("Pad", [x, np.array([0, pads[0], 0, pads[1]])], {"mode": mode}, const=(1,))


def test_indices_out_of_range_touch_no_other_memory(check: Check) -> None:
    """ONNX Runtime raises; a library reads the nearest element and writes none."""
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    far = np.asarray([2, 10**12, -5, -(10**12), -1], np.int64)
    check("Gather", [x, far], {"axis": 0}, expected=[x[[2, 3, 0, 0, 3]]])
    check("GatherElements", [x, far[None, :3]], {"axis": 0}, expected=[x[[2, 3, 0], [0, 1, 2]][None]])
    check("GatherND", [x, far[:4].reshape(2, 2)], expected=[np.asarray([x[2, 2], x[0, 0]])])
    updates = np.asarray([[7, 8, 9]], np.float32)
    want = x.copy()
    want[2, 0] = 7
    check("ScatterElements", [x, far[None, :3], updates], {"axis": 0}, expected=[want])
    rows = np.asarray([[5, 5, 5], [6, 6, 6]], np.float32)
    check("ScatterND", [x, far[1:3, None], rows], expected=[x])
