"""Each TFLite op: the hub's form in ONNX Runtime against the file in LiteRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import api
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model, Quant
from edgekit.ir.ledger import Value
from edgekit.runners import runner_for
from edgekit.runners.base import Runner
from tests.unit.importers.tflite_cases import constant, draw, file_of, tensor

F = np.float32
NONE = {"fused_activation_function": "NONE"}
RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def litert() -> Iterator[Runner]:
    with runner_for("tflite", timeout_s=60) as runner:
        yield runner


@pytest.fixture(scope="module")
def ort() -> Iterator[Runner]:
    with runner_for("onnx", timeout_s=60) as runner:
        yield runner


def weights(*shape: int) -> Value:
    return constant(RNG.standard_normal(shape).astype(F))


def ints(*values: int) -> Value:
    return constant(np.asarray(values, np.int32))


def image(*shape: int | None) -> Value:
    return tensor(F, *shape)


def conv(padding: str, stride: int, dilation: int = 1, act: str = "NONE") -> dict[str, Any]:
    return {
        "padding": padding, "stride_h": stride, "stride_w": stride, "dilation_h_factor": dilation,
        "dilation_w_factor": dilation, "fused_activation_function": act,
    }  # fmt: skip


def pool(padding: str, size: int, stride: int, act: str = "NONE") -> dict[str, Any]:
    return {
        "padding": padding, "stride_h": stride, "stride_w": stride, "filter_height": size,
        "filter_width": size, "fused_activation_function": act,
    }  # fmt: skip


def depthwise(times: int, *rest: Any) -> dict[str, Any]:
    return {**conv(*rest), "depth_multiplier": times}


def strided(**masks: int) -> dict[str, int]:
    return masks


CASES: dict[str, tuple[str, list[Value | None], list[Value], dict[str, Any]]] = {
    "conv same": ("CONV_2D", [image(1, 7, 8, 3), weights(4, 3, 3, 3), weights(4)], [image(1, 4, 4, 4)],
                  conv("SAME", 2)),
    "conv even kernel": ("CONV_2D", [image(1, 7, 8, 3), weights(4, 2, 4, 3), weights(4)],
                         [image(1, 7, 8, 4)], conv("SAME", 1, 1, "RELU6")),
    "conv valid dilated": ("CONV_2D", [image(1, 9, 9, 3), weights(4, 3, 3, 3), weights(4)],
                           [image(1, 5, 5, 4)], conv("VALID", 1, 2, "RELU_N1_TO_1")),
    "conv groups": ("CONV_2D", [image(1, 6, 6, 4), weights(6, 3, 3, 2), weights(6)], [image(1, 6, 6, 6)],
                    conv("SAME", 1)),
    "conv open batch": ("CONV_2D", [image(None, 6, 6, 2), weights(3, 3, 3, 2), weights(3)],
                        [image(None, 3, 3, 3)], conv("SAME", 2)),
    "depthwise": ("DEPTHWISE_CONV_2D", [image(1, 7, 7, 3), weights(1, 3, 3, 3), weights(3)],
                  [image(1, 4, 4, 3)], depthwise(1, "SAME", 2, 1, "RELU")),
    "depthwise twice": ("DEPTHWISE_CONV_2D", [image(1, 7, 7, 3), weights(1, 3, 3, 6), weights(6)],
                        [image(1, 5, 5, 6)], depthwise(2, "VALID", 1)),
    "transposed same": ("TRANSPOSE_CONV", [ints(1, 9, 9, 2), weights(2, 3, 3, 4), image(1, 5, 5, 4)],
                        [image(1, 9, 9, 2)], {"padding": "SAME", "stride_h": 2, "stride_w": 2}),
    "transposed even": ("TRANSPOSE_CONV", [ints(1, 10, 10, 2), weights(2, 3, 3, 4), image(1, 5, 5, 4)],
                        [image(1, 10, 10, 2)], {"padding": "SAME", "stride_h": 2, "stride_w": 2}),
    "transposed valid": ("TRANSPOSE_CONV", [ints(1, 12, 12, 2), weights(2, 3, 3, 4), image(1, 5, 5, 4)],
                         [image(1, 12, 12, 2)], {"padding": "VALID", "stride_h": 2, "stride_w": 2}),
    "fully connected": ("FULLY_CONNECTED", [image(2, 5), weights(4, 5), weights(4)], [image(2, 4)], NONE),
    "fully connected of an image": ("FULLY_CONNECTED", [image(1, 2, 2, 3), weights(4, 12), None],
                                    [image(1, 4)], {"fused_activation_function": "RELU"}),
    "fully connected keeps axes": ("FULLY_CONNECTED", [image(2, 3, 5), weights(4, 5), weights(4)],
                                   [image(2, 3, 4)], {**NONE, "keep_num_dims": True}),
    "product": ("BATCH_MATMUL", [image(2, 3, 4), image(2, 5, 4)], [image(2, 3, 5)],
                {"adj_x": False, "adj_y": True}),
    "average same": ("AVERAGE_POOL_2D", [image(1, 5, 5, 2)], [image(1, 3, 3, 2)], pool("SAME", 3, 2)),
    "average valid": ("AVERAGE_POOL_2D", [image(1, 6, 5, 2)], [image(1, 2, 2, 2)],
                      pool("VALID", 3, 2, "RELU")),
    "maximum same": ("MAX_POOL_2D", [image(1, 5, 6, 2)], [image(1, 3, 3, 2)], pool("SAME", 2, 2)),
    "add": ("ADD", [image(2, 3), image(3)], [image(2, 3)], {"fused_activation_function": "RELU6"}),
    "sub": ("SUB", [image(2, 1), image(2, 3)], [image(2, 3)], NONE),
    "mul": ("MUL", [image(1, 4, 4, 3), weights(3)], [image(1, 4, 4, 3)], NONE),
    "div": ("DIV", [image(2, 3), constant(np.asarray([[2.0, -3, 5]], F))], [image(2, 3)], NONE),
    "maximum": ("MAXIMUM", [image(2, 3), image(1, 3)], [image(2, 3)], {}),
    "minimum": ("MINIMUM", [image(2, 3), image(1, 3)], [image(2, 3)], {}),
    "squared difference": ("SQUARED_DIFFERENCE", [image(2, 3), image(3)], [image(2, 3)], {}),
    "floor div": ("FLOOR_DIV", [tensor(np.int32, 6), constant(np.asarray([2, -3, 4, 5, -7, 1], np.int32))],
                  [tensor(np.int32, 6)], {}),
    "floor mod": ("FLOOR_MOD", [tensor(np.int32, 6), constant(np.asarray([2, -3, 4, 5, -7, 1], np.int32))],
                  [tensor(np.int32, 6)], {}),
    "not equal": ("NOT_EQUAL", [tensor(np.int32, 9), tensor(np.int32, 9)], [tensor(bool, 9)], {}),
    "less": ("LESS", [image(9), image(9)], [tensor(bool, 9)], {}),
    "select": ("SELECT_V2", [tensor(bool, 3), image(2, 3), image(2, 3)], [image(2, 3)], {}),
    "softmax": ("SOFTMAX", [image(2, 5)], [image(2, 5)], {"beta": 0.5}),
    "log softmax": ("LOG_SOFTMAX", [image(2, 5)], [image(2, 5)], {}),
    **{name.lower(): (name, [image(3, 5)], [image(3, 5)], {}) for name in
       ("LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "HARD_SWISH", "ABS", "NEG", "SIN", "COS", "EXP",
        "FLOOR", "CEIL", "ROUND", "SQUARE", "ELU")},
    "rsqrt": ("RSQRT", [constant(np.asarray([0.5, 2, 9], F))], [image(3)], {}),
    "leaky relu": ("LEAKY_RELU", [image(3, 5)], [image(3, 5)], {"alpha": 0.2}),
    "prelu": ("PRELU", [image(1, 3, 4, 2), weights(1, 1, 2)], [image(1, 3, 4, 2)], {}),
    "gelu": ("GELU", [image(3, 5)], [image(3, 5)], {"approximate": True}),
    "concat": ("CONCATENATION", [image(1, 2, 2, 3), image(1, 2, 2, 1)], [image(1, 2, 2, 4)],
               {"axis": -1, "fused_activation_function": "NONE"}),
    "reshape": ("RESHAPE", [image(2, 6), ints(3, -1)], [image(3, 4)], {"new_shape": [3, -1]}),
    "squeeze": ("SQUEEZE", [image(1, 3, 1, 2)], [image(1, 3, 2)], {"squeeze_dims": [2]}),
    "expand": ("EXPAND_DIMS", [image(3, 2), ints(-1)], [image(3, 2, 1)], {}),
    "transpose": ("TRANSPOSE", [image(2, 3, 4), ints(2, 0, 1)], [image(4, 2, 3)], {}),
    "pad": ("PAD", [image(1, 3, 3, 2), constant(np.asarray([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))],
            [image(1, 6, 4, 2)], {}),
    "pad with a number": ("PADV2", [image(2, 3), constant(np.asarray([[0, 1], [2, 0]], np.int32)),
                                    constant(F(1.5))], [image(3, 5)], {}),
    "mirror": ("MIRROR_PAD", [image(3, 4), constant(np.asarray([[1, 2], [3, 0]], np.int32))],
               [image(6, 7)], {"mode": "REFLECT"}),
    "mirror with edge": ("MIRROR_PAD", [image(3, 4), constant(np.asarray([[1, 2], [3, 0]], np.int32))],
                         [image(6, 7)], {"mode": "SYMMETRIC"}),
    "mean": ("MEAN", [image(1, 4, 5, 3), ints(1, 2)], [image(1, 3)], {"keep_dims": False}),
    "sum": ("SUM", [image(1, 4, 5, 3), ints(-1)], [image(1, 4, 5, 1)], {"keep_dims": True}),
    "largest": ("REDUCE_MAX", [image(4, 5), ints(0)], [image(5)], {"keep_dims": False}),
    "any": ("REDUCE_ANY", [tensor(bool, 4, 5), ints(1)], [tensor(bool, 4)], {"keep_dims": False}),
    "arg max": ("ARG_MAX", [image(4, 5), constant(np.int32(1))], [tensor(np.int32, 4)],
                {"output_type": np.dtype(np.int32)}),
    "arg min": ("ARG_MIN", [image(4, 5), constant(np.int32(0))], [tensor(np.int64, 5)],
                {"output_type": np.dtype(np.int64)}),
    "slice": ("SLICE", [image(4, 5), ints(1, 2), ints(2, -1)], [image(2, 3)], {}),
    "strided": ("STRIDED_SLICE", [image(6, 5, 4), ints(0, 4, 1), ints(6, 0, 0), ints(2, -2, 1)],
                [image(3, 3)], strided(begin_mask=2, end_mask=2, shrink_axis_mask=4)),
    "last": ("STRIDED_SLICE", [image(6, 5), ints(-1), ints(0), ints(1)], [image(5)],
             strided(shrink_axis_mask=1)),
    "gather": ("GATHER", [image(4, 5), ints(3, 0, 3)], [image(4, 3)], {"axis": 1, "batch_dims": 0}),
    "gather nd": ("GATHER_ND", [image(4, 5), constant(np.asarray([[1, 2], [3, 0]], np.int32))],
                  [image(2)], {}),
    "pack": ("PACK", [image(2, 3), image(2, 3)], [image(2, 2, 3)], {"axis": 1, "values_count": 2}),
    "unpack": ("UNPACK", [image(2, 3)], [image(2), image(2), image(2)], {"axis": 1, "num": 3}),
    "split": ("SPLIT", [ints(-1), image(2, 6)], [image(2, 3), image(2, 3)], {"num_splits": 2}),
    "split v": ("SPLIT_V", [image(2, 6), ints(1, -1), ints(1)], [image(2, 1), image(2, 5)],
                {"num_splits": 2}),
    "tile": ("TILE", [image(2, 3), ints(2, 1)], [image(4, 3)], {}),
    "broadcast": ("BROADCAST_TO", [image(1, 3), ints(4, 3)], [image(4, 3)], {}),
    "reverse": ("REVERSE_V2", [image(3, 4), ints(1)], [image(3, 4)], {}),
    "cumsum": ("CUMSUM", [image(3, 4), ints(1)], [image(3, 4)], {"exclusive": True, "reverse": True}),
    "top": ("TOPK_V2", [image(3, 6), constant(np.int32(2))], [image(3, 2), tensor(np.int32, 3, 2)], {}),
    "cast": ("CAST", [image(7)], [tensor(np.int32, 7)],
             {"in_data_type": np.dtype(F), "out_data_type": np.dtype(np.int32)}),
    "fill": ("FILL", [ints(2, 3), image()], [image(2, 3)], {}),
    "space to depth": ("SPACE_TO_DEPTH", [image(1, 4, 6, 3)], [image(1, 2, 3, 12)], {"block_size": 2}),
    "depth to space": ("DEPTH_TO_SPACE", [image(1, 2, 3, 12)], [image(1, 4, 6, 3)], {"block_size": 2}),
    "space to batch": ("SPACE_TO_BATCH_ND", [image(1, 5, 6, 2), ints(2, 3),
                                             constant(np.asarray([[1, 0], [0, 0]], np.int32))],
                       [image(6, 3, 2, 2)], {}),
    "batch to space": ("BATCH_TO_SPACE_ND", [image(6, 3, 2, 2), ints(2, 3),
                                             constant(np.asarray([[1, 0], [0, 1]], np.int32))],
                       [image(1, 5, 5, 2)], {}),
    "one hot": ("ONE_HOT", [tensor(np.int32, 4), constant(np.int32(5)), constant(F(2)), constant(F(-1))],
                [image(4, 5)], {"axis": -1}),
    **{f"bilinear {corners} {centres}": ("RESIZE_BILINEAR", [image(1, 4, 5, 2), ints(7, 9)],
                                         [image(1, 7, 9, 2)],
                                         {"align_corners": corners, "half_pixel_centers": centres})
       for corners, centres in ((False, False), (True, False), (False, True))},
    **{f"nearest {corners} {centres}": ("RESIZE_NEAREST_NEIGHBOR", [image(1, 4, 5, 2), ints(7, 9)],
                                        [image(1, 7, 9, 2)],
                                        {"align_corners": corners, "half_pixel_centers": centres})
       for corners, centres in ((False, False), (True, False), (False, True))},
}  # fmt: skip
"""Op, operands, results, options."""


def load(payload: bytes, folder: Path) -> tuple[Model, Path]:
    path = folder / "model.tflite"
    path.write_bytes(payload)
    return api.load(path), path


def both(
    payload: bytes, folder: Path, litert: Runner, ort: Runner, inputs: list[Value]
) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    model, path = load(payload, folder)
    given = [v for v in dict.fromkeys(inputs) if v is not None and v.data is None]
    feed = {f"x{i}": draw(RNG, v) for i, v in enumerate(given)}
    want = litert.run(path, feed)
    got = ort.run(model.to_proto().SerializeToString(), feed)
    assert [s.dtype for s in model.outputs] == [a.dtype for a in want.values()]
    return list(zip(want.values(), got.values(), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_hub_computes_what_litert_computes(
    name: str, tmp_path: Path, litert: Runner, ort: Runner
) -> None:
    op, inputs, outputs, attrs = CASES[name]
    for want, got in both(file_of(op, inputs, outputs, attrs), tmp_path, litert, ort, inputs):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-5)


def quantised(dtype: Any, *shape: int | None, scale: float = 0.05, zero: int = 3) -> Value:
    return tensor(dtype, *shape, quant=Quant((float(F(scale)),), (zero,)))


def coded(shape: tuple[int, ...], axis: int | None, dtype: Any = np.int8, zero: int = 0) -> Value:
    count = 1 if axis is None else shape[axis]
    info = np.iinfo(dtype)
    scale = tuple(float(F(0.01 + 0.003 * i)) for i in range(count))
    data = RNG.integers(info.min + 1, info.max, shape, dtype=dtype, endpoint=True)
    return constant(data, Quant(scale, (zero,) * count, axis))


def bias(count: int, x: Value, w: Value) -> Value:
    assert x.quant is not None
    assert w.quant is not None
    scale = tuple(float(F(x.quant.scale[0]) * F(s)) for s in w.quant.scale)
    axis = None if len(scale) == 1 else 0
    return constant(RNG.integers(-3000, 3000, count).astype(np.int32), Quant(scale, (0,) * len(scale), axis))


def weighted(op: str, shape: tuple[int, ...], axis: int | None, dtype: Any = np.int8, zero: int = 0) -> Any:
    channels = shape[3] if op == "DEPTHWISE_CONV_2D" else shape[0]
    x = quantised(dtype, 1, 6, 7, 4, zero=3 if dtype == np.int8 else 120)
    w = coded(shape, axis, dtype, zero)
    y = quantised(dtype, 1, 6, 7, channels, scale=0.7, zero=-5 if dtype == np.int8 else 99)
    attrs = depthwise(channels // 4, "SAME", 1) if op == "DEPTHWISE_CONV_2D" else conv("SAME", 1, 1, "RELU")
    return op, [x, w, bias(channels, x, w)], [y], attrs


QUANTISED = {
    "conv per channel": weighted("CONV_2D", (6, 3, 3, 4), 0),
    "conv per tensor": weighted("CONV_2D", (6, 3, 3, 4), None),
    "conv of uint8 with a zero point": weighted("CONV_2D", (6, 3, 3, 4), None, np.uint8, 131),
    "depthwise per channel": weighted("DEPTHWISE_CONV_2D", (1, 3, 3, 8), 3),
    "add": ("ADD", [quantised(np.int8, 2, 9), quantised(np.int8, 2, 9, scale=0.11, zero=-9)],
            [quantised(np.int8, 2, 9, scale=0.13)], {"fused_activation_function": "RELU"}),
    "mul": ("MUL", [quantised(np.int8, 2, 9), quantised(np.int8, 2, 9, scale=0.11, zero=-9)],
            [quantised(np.int8, 2, 9, scale=0.2)], NONE),
    "pad": ("PAD", [quantised(np.int8, 2, 3), constant(np.asarray([[0, 1], [2, 0]], np.int32))],
            [quantised(np.int8, 3, 5)], {}),
    "softmax": ("SOFTMAX", [quantised(np.int8, 3, 7, scale=0.1)],
                [quantised(np.int8, 3, 7, scale=1 / 256, zero=-128)], {"beta": 1.0}),
    "logistic": ("LOGISTIC", [quantised(np.int8, 3, 7)],
                 [quantised(np.int8, 3, 7, scale=1 / 256, zero=-128)], {}),
    "other scale": ("QUANTIZE", [quantised(np.int8, 99)], [quantised(np.int8, 99, scale=0.08, zero=-4)], {}),
    "other dtype": ("QUANTIZE", [quantised(np.uint8, 99, zero=131)], [quantised(np.int8, 99)], {}),
    "dequantise": ("DEQUANTIZE", [quantised(np.int16, 99, zero=0)], [tensor(F, 99)], {}),
    "average": ("AVERAGE_POOL_2D", [quantised(np.int8, 1, 6, 6, 2)], [quantised(np.int8, 1, 3, 3, 2)],
                pool("SAME", 3, 2)),
    "bilinear": ("RESIZE_BILINEAR", [quantised(np.int8, 1, 4, 5, 2), ints(7, 9)],
                 [quantised(np.int8, 1, 7, 9, 2)], {"align_corners": False, "half_pixel_centers": True}),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_ops_are_within_one_step(name: str, tmp_path: Path, litert: Runner, ort: Runner) -> None:
    op, inputs, outputs, attrs = QUANTISED[name]
    for want, got in both(file_of(op, inputs, outputs, attrs), tmp_path, litert, ort, inputs):
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        off = np.abs(got.astype(np.float64) - want)
        assert off.max() <= 1
        assert (off > 0).mean() < 0.2


def test_scales_zero_points_and_integers_are_the_files_own(tmp_path: Path) -> None:
    op, (x, w, b), (y,), attrs = QUANTISED["conv per channel"]
    model, _ = load(file_of(op, [x, w, b], [y], attrs), tmp_path)
    held = {n: v.const_value.numpy() for n, v in model.ir.graph.initializers.items() if v.const_value}
    pairs = {
        node.outputs[0].name: [held.get(v.name or "") for v in node.inputs]
        for node in model.ir.graph
        if node.op_type == "DequantizeLinear"
    }
    integers = {a[0].dtype.name: a for a in pairs.values() if a[0] is not None}
    np.testing.assert_array_equal(integers["int8"][0], w.data.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(integers["int8"][1], np.asarray(w.quant.scale, F))
    np.testing.assert_array_equal(integers["int32"][0], b.data)
    np.testing.assert_array_equal(integers["int32"][1], np.asarray(b.quant.scale, F))


def refusal(payload: bytes, folder: Path) -> EdgekitError:
    with pytest.raises(EdgekitError) as caught:
        load(payload, folder)
    return caught.value


def test_an_op_without_a_form_is_named_with_its_place(tmp_path: Path) -> None:
    payload = file_of(
        "GATHER", [image(2, 4), constant(np.asarray([[1], [0]], np.int32))], [image(2, 1)],
        {"axis": 1, "batch_dims": 1},
    )  # fmt: skip
    (found,) = refusal(payload, tmp_path).diagnostics
    assert found.code == "EK116"
    assert found.where.nodes == ("GATHER#0",)
    assert "per element of a batch" in found.message


def test_shuffled_weights_are_put_in_order() -> None:
    from edgekit.importers.tflite.ops.products import unshuffled

    plain = RNG.integers(0, 256, (8, 32)).astype(np.uint8)
    blocks = [plain[r : r + 4, c : c + 16].reshape(-1) for r in (0, 4) for c in (0, 16)]
    shuffled = (np.concatenate(blocks) ^ 0x80).reshape(8, 32)
    np.testing.assert_array_equal(unshuffled(shuffled), plain)
