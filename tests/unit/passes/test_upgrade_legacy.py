"""Models of opset 6 and older, which ONNX Runtime does not execute: against the data that comes with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.diagnostics import EdgekitError
from edgekit.passes import prepare

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"


def legacy_models():
    found = []
    for path in sorted(DATA.glob("pytorch-*/*/model.onnx")):
        model = onnx.load(path)
        if any(o.domain == "" and o.version < 7 for o in model.opset_import):
            found.append(path)
    return found


def tensors(folder, kind):
    paths = sorted(folder.glob(f"{kind}_*.pb"), key=lambda p: int(p.stem.split("_")[1]))
    return [numpy_helper.to_array(onnx.TensorProto.FromString(p.read_bytes())) for p in paths]


@pytest.mark.parametrize("path", legacy_models(), ids=lambda p: p.parent.name)
def test_results_are_those_of_the_exporter(lab, path):
    model = onnx.load(path)
    prepared = prepare(lab.hub(model)).model
    folder = path.parent / "test_data_set_0"
    names = [v.name for v in prepared.ir.graph.inputs]
    feeds = dict(zip(names, tensors(folder, "input"), strict=True))
    lab.same(tensors(folder, "output"), lab.runtime(lab.runnable(prepared), feeds), rtol=1e-3, atol=1e-5)


def test_legacy_models_are_there():
    assert len(legacy_models()) >= 20


@pytest.mark.parametrize(
    ("op", "attrs", "right", "expected"),
    [
        ("Add", "broadcast = 1, axis = 1", [3, 4], lambda a, b: a + b[:, :, None]),
        ("Mul", "broadcast = 1, axis = 0", [2], lambda a, b: a * b[:, None, None, None]),
        ("Sub", "broadcast = 1", [4, 5], lambda a, b: a - b),
        ("Div", "broadcast = 1, axis = 2", [4], lambda a, b: a / b[:, None]),
        ("Pow", "broadcast = 1, axis = -1", [5], lambda a, b: np.power(a, b)),
        ("Add", "broadcast = 1", [1, 1, 1, 1, 1], lambda a, b: a + b.reshape(())),
        ("Add", "broadcast = 0", [2, 3, 4, 5], lambda a, b: a + b),
    ],
)
def test_broadcasting_by_axis(lab, op, attrs, right, expected):
    text = (
        f"(float[2,3,4,5] a, float[{','.join(map(str, right))}] b) => (float[2,3,4,5] y)"
        f" {{ y = {op} <{attrs}> (a, b) }}"
    )
    model = lab.proto(text, 6)
    rng = np.random.default_rng(3)
    feeds = {"a": rng.uniform(0.5, 2, (2, 3, 4, 5)), "b": rng.uniform(0.5, 2, right)}
    feeds = {k: v.astype(np.float32) for k, v in feeds.items()}
    found = lab.runtime(lab.runnable(prepare(lab.hub(model)).model), feeds)
    lab.same([expected(feeds["a"], feeds["b"]).astype(np.float32)], found)


def test_prelu_slope_belongs_to_channels(lab):
    model = lab.proto("(float[2,3,4,3] x, float[3] s) => (float[2,3,4,3] y) { y = PRelu(x, s) }", 6)
    feeds = lab.random_inputs(model)
    x, s = feeds["x"], feeds["s"][:, None, None]
    found = lab.runtime(lab.runnable(prepare(lab.hub(model)).model), feeds)
    lab.same([np.where(x < 0, x * s, x)], found)


@pytest.mark.parametrize(
    ("text", "bound", "expected"),
    [
        (
            "(float[2,3] x) => (float[2,9] y) { y = Tile(x, t, a) }",
            {"t": np.float32(3), "a": np.float32(1)},
            lambda x: np.tile(x, (1, 3)),
        ),
        (
            "(float[2,3] x) => (float[3,2] y) { y = Reshape <shape = [3, -1]> (x) }",
            {},
            lambda x: x.reshape(3, 2),
        ),
        (
            "(float[2,3] x) => (float[a,b] y) { y = Pad <paddings = [0, 1, 2, 0]> (x) }",
            {},
            lambda x: np.pad(x, ((0, 2), (1, 0))),
        ),
        (
            '(float[2,3] x) => (int32[2,3] y) { y = Cast <to = "INT32"> (x) }',
            {},
            lambda x: x.astype(np.int32),
        ),
        ("(float[2,3] x) => (float[2,6] y) { y = Concat(x, x) }", {}, lambda x: np.concatenate([x, x], 1)),
    ],
    ids=["tile", "reshape", "pad", "cast", "concat"],
)
def test_forms_of_opset_1(lab, text, bound, expected):
    model = lab.proto(text, 1, **bound)
    feeds = lab.random_inputs(model)
    found = lab.runtime(lab.runnable(prepare(lab.hub(model)).model), feeds)
    lab.same([expected(feeds["x"])], found)


@pytest.mark.parametrize(
    ("text", "opset", "reason"),
    [
        ("(float[2] x) => (float[2] y) { y = Dropout(x) }", 6, "training mode"),
        ("(float[2] x) => (float[2] y, float[2] m) { y, m = Dropout(x) }", 7, "mask"),
        (
            "(float[2,3] x, float[3] s) => (float[2,3] y, float[3] m)"
            " { y, m = BatchNormalization(x, s, s, s, s) }",
            9,
            "statistics",
        ),
        ("(float[1,1,2,2] x, float[4] s) => (float[a,b,c,d] y) { y = Resize(x, s) }", 10, "run time"),
        ("(int32[2,3] x) => (int32[1,1] y) { y = ReduceLogSum(x) }", 13, "integers"),
        (
            '(float[1,1,2,2] x, float[8] r, float[4] s) => (float[a,b,c,d] y) { y = Resize <mode = "linear",'
            ' coordinate_transformation_mode = "tf_half_pixel_for_nn"> (x, r, s) }',
            11,
            "tf_half_pixel_for_nn",
        ),
        ("(float[2,3] x, float[2,3] z) => (float y) { y = LpPool <p = 1.5> (x) }", 1, "not an integer"),
    ],
)
def test_what_has_no_equal_form_is_refused(lab, text, opset, reason):
    with pytest.raises(EdgekitError) as caught:
        prepare(lab.hub(lab.proto(text, opset)))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "EK108"
    assert reason in diagnostic.message
    assert diagnostic.where.nodes


def test_scan_of_opset_8_runs_over_the_batch(lab):
    text = (
        "(float[3,2] first, float[3,4,2] x) => (float[3,2] last, float[3,4,2] all) {"
        " last, all = Scan <num_scan_inputs = 1, body = step (float[2] state, float[2] item)"
        ' => (float[2] next, float[2] out) { next = Add(state, item) out = Identity(next) }> ("", first, x) }'
    )
    model = onnx.parser.parse_model(f'<ir_version: 7, opset_import: ["" : 8]> main {text}')
    lab.keeps(model)
