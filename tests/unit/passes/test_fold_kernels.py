"""Each numpy kernel of constant folding against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.passes import prepare
from edgekit.passes.fold import KERNELS

F = np.float32
RNG = np.random.default_rng(7)
X = RNG.standard_normal((2, 3, 4)).astype(F)
P = RNG.uniform(0.2, 3, (2, 3, 4)).astype(F)
N = RNG.integers(-9, 9, (2, 3, 4))
B = RNG.integers(0, 2, (2, 3, 4)).astype(bool)
SPECIAL = np.array([0.5, -0.5, 1.5, 2.5, -1.5, -0.0, np.inf, -np.inf], F)

ELEM = {
    np.dtype(k): v
    for k, v in {
        "float32": "float",
        "float64": "double",
        "float16": "float16",
        "int64": "int64",
        "int32": "int32",
        "uint8": "uint8",
        "int8": "int8",
        "bool": "bool",
    }.items()
}


def case(op, *inputs, attrs="", outputs=1, out=None, name=""):
    return pytest.param(
        op,
        [None if i is None else np.asarray(i) for i in inputs],
        attrs,
        outputs,
        out,
        id=f"{op}{'-' if name or attrs else ''}{name or attrs}",
    )


CASES = [
    *[
        case(op, X)
        for op in (
            "Abs",
            "Neg",
            "Exp",
            "Floor",
            "Ceil",
            "Round",
            "Sign",
            "Sin",
            "Cos",
            "Tan",
            "Tanh",
            "Sigmoid",
            "Erf",
            "Relu",
            "Reciprocal",
            "Identity",
        )
    ],
    *[case(op, P) for op in ("Log", "Sqrt")],
    *[case(op, SPECIAL, name="special") for op in ("Round", "Floor", "Ceil", "Abs", "Neg", "Relu")],
    case("IsNaN", F([0, np.nan, np.inf, -np.nan]), out="bool"),
    *[case(op, N) for op in ("Abs", "Neg", "Sign")],
    case("Abs", np.float32(-3), name="scalar"),
    *[case(op, X, X[0], name="broadcast") for op in ("Add", "Sub", "Mul", "Div", "Mean") if op != "Mean"],
    *[case(op, X[:, :1], np.float64(2).astype(F), name="scalar") for op in ("Add", "Sub", "Mul", "Div")],
    *[case(op, N, np.array([[-3], [2], [5]]), name="int") for op in ("Add", "Sub", "Mul", "Div")],
    case("Mod", N, np.array([[-3], [2], [5]])),
    case("Mod", N, np.array([[-3], [2], [5]]), attrs="fmod = 1"),
    case("Mod", X, F(0.7), attrs="fmod = 1", name="float"),
    case("Pow", P, F(1.7)),
    case("Pow", P, np.int64(3), name="int-exponent"),
    case("Pow", N, np.int64(2), name="int"),
    case("Max", X, X[0], F(0.1)),
    case("Min", X, X[0], F(0.1)),
    case("Sum", X, X[0], F(0.1)),
    case("Clip", X, F(-0.3), F(0.4)),
    case("Clip", X, None, F(0.4), name="no-low"),
    case("Clip", X, F(0.4), F(-0.3), name="crossed"),
    case("Cast", X * 5, attrs="to = 6", out="int32"),
    case("Cast", X * 5, attrs="to = 9", out="bool"),
    case("Cast", X, attrs="to = 10", out="float16"),
    case("Cast", N, attrs="to = 1", out="float"),
    case("Cast", N + 300, attrs="to = 3", out="int8", name="wraps"),
    case("Cast", B, attrs="to = 1", out="float", name="bool"),
    case("CastLike", X * 5, np.int64(1), out="int64"),
    *[
        case(op, N, N[::-1].copy(), out="bool")
        for op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    ],
    *[case(op, B, B[::-1].copy(), out="bool") for op in ("And", "Or", "Xor")],
    *[case(op, N, N[::-1].copy()) for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")],
    case("Not", B),
    case("BitwiseNot", N),
    case("Where", B, X, X[::-1].copy(), out="float"),
    case("Where", B[0], F(1), F(-1), out="float", name="broadcast"),
    case("Reshape", X, [0, -1, 2]),
    case("Reshape", X[:0], [0, 5], attrs="allowzero = 1"),
    case("Flatten", X, attrs="axis = 2"),
    case("Flatten", X, attrs="axis = -1", name="negative"),
    case("Squeeze", X[:1, :, :1], [0, -1]),
    case("Squeeze", X[:1, :, :1], name="all"),
    case("Unsqueeze", X, [0, -1]),
    case("Transpose", X, attrs="perm = [2, 0, 1]"),
    case("Transpose", X, name="default"),
    case("Transpose", F(2), name="scalar"),
    case("Concat", X, X[:, :1], attrs="axis = 1"),
    case("Slice", X, [2, 0], [-1, 100], [1, 2], [1, 2]),
    case("Slice", X, [-1], [-100], [2], [-1], name="backwards"),
    case("Slice", X, [3], [0], [-1], [-2], name="backwards-2"),
    case("Split", X, attrs="axis = 2, num_outputs = 3", outputs=3),
    case("Split", X, [1, 2], attrs="axis = 1", outputs=2),
    case("Expand", X[:, :1], [5, 1, 1, 4]),
    case("Tile", X, [1, 2, 3]),
    case("Pad", X, [0, 1, 2, 0, 0, 1], F(1.5)),
    case("Pad", X, [0, 1, 2, 0, 1, 1], attrs='mode = "reflect"'),
    case("Pad", X, [0, 1, 2, 0, 1, 1], attrs='mode = "edge"'),
    case("Pad", X, [1, 1, 2, 1], None, [-1, 1], name="axes"),
    case("Gather", X, [[0, -1], [2, 1]], attrs="axis = 1"),
    case("Gather", X, np.int64(-1), attrs="axis = -1", name="scalar"),
    case("GatherElements", X, np.array([[[0, -1, 2, 1]], [[2, 2, 0, 0]]]), attrs="axis = 1"),
    case("GatherElements", X[0], np.array([[0, -1], [2, 1]]), attrs="axis = 0", name="smaller"),
    case("GatherND", X, np.array([[0, 1], [1, -1]])),
    case("ScatterND", X, np.array([[0, 1], [1, -1]]), X[0, :2]),
    case("NonZero", N, out="int64"),
    case("ArgMax", X, attrs="axis = 1", out="int64"),
    case("ArgMin", np.array([[3, 1, 1], [2, 2, 5]], F), attrs="axis = -1, keepdims = 0", out="int64"),
    case("ArgMax", np.array([[3, 1, 3]], F), attrs="axis = 1, select_last_index = 1", out="int64"),
    case("TopK", X, [2], attrs="axis = 1", outputs=2, out=("float", "int64")),
    case("TopK", np.array([[1, 3, 3, 2, 3]], F), [4], outputs=2, out=("float", "int64"), name="ties"),
    case(
        "TopK",
        np.array([[1, 3, 1, 2, 1]], F),
        [4],
        attrs="largest = 0",
        outputs=2,
        out=("float", "int64"),
        name="smallest-ties",
    ),
    case("ConstantOfShape", [2, 0, 3], out="float"),
    case("Range", np.int64(10), np.int64(-4), np.int64(-3)),
    case("Range", F(0.5), F(3.1), F(0.3), name="float"),
    case("Range", np.int64(4), np.int64(4), np.int64(1), name="empty"),
    case("EyeLike", X[0], attrs="k = 1"),
    case(
        "OneHot",
        np.array([[0, 3], [-1, 7]]),
        np.int64(5),
        np.array([0.5, 2], F),
        attrs="axis = 1",
        out="float",
    ),
    case("Trilu", X, np.int64(1)),
    case("Trilu", X, attrs="upper = 0"),
    case("CumSum", X, np.int64(-2)),
    case("CumSum", X, np.int64(2), attrs="exclusive = 1, reverse = 1"),
    case("CumSum", N, np.int64(0), name="int"),
    case("MatMul", X, X[0].T.copy()),
    case("MatMul", X[0, 0], X[0].T.copy(), name="vector"),
    case("MatMul", N.astype(np.int32), N[0].T.astype(np.int32), name="int"),
    case("Gemm", X[0], X[1], F([1, 2, 3]), attrs="transB = 1, alpha = 0.5, beta = 2.0"),
    case("Gemm", X[0], X[1], attrs="transA = 1", name="no-bias"),
    case("QuantizeLinear", X, F(0.013), np.uint8(121), out="uint8"),
    case("QuantizeLinear", X, F([0.01, 0.02, 0.5]), np.int8([0, 5, -7]), attrs="axis = 1", out="int8"),
    case(
        "QuantizeLinear",
        np.array([0.5, 1.5, 2.5, -0.5, 300, -300], F),
        F(1),
        np.uint8(3),
        out="uint8",
        name="ties",
    ),
    *[
        case(op, X, [1], attrs="keepdims = 0")
        for op in (
            "ReduceSum",
            "ReduceMean",
            "ReduceProd",
            "ReduceMax",
            "ReduceMin",
            "ReduceL1",
            "ReduceL2",
            "ReduceSumSquare",
        )
    ],
    *[case(op, X, name="all") for op in ("ReduceSum", "ReduceMax", "ReduceL2")],
    *[case(op, X, attrs="noop_with_empty_axes = 1") for op in ("ReduceSum", "ReduceMax")],
    *[case(op, N, [0, -1], name="int") for op in ("ReduceSum", "ReduceProd", "ReduceMax")],
]


@pytest.mark.parametrize(("op", "inputs", "attrs", "outputs", "out"), CASES)
def test_kernel_agrees_with_onnx_runtime(lab, op, inputs, attrs, outputs, out):
    present = {f"i{k}": a for k, a in enumerate(inputs) if a is not None}
    names = [f"i{k}" if a is not None else '""' for k, a in enumerate(inputs)]
    kinds = [out or ELEM[next(iter(present.values())).dtype]] * outputs if not isinstance(out, tuple) else out
    results = [f"y{k}" for k in range(outputs)]
    declared = ", ".join(f"{ELEM[a.dtype]}[{','.join(map(str, a.shape))}] {n}" for n, a in present.items())
    declared = declared.replace("[] ", " ")
    returned = ", ".join(f"{kind} {name}" for kind, name in zip(kinds, results, strict=True))
    body = f"{', '.join(results)} = {op} <{attrs}> ({', '.join(names)})".replace(" <>", "")
    text = f"({declared}) => ({returned}) {{ {body} }}"
    model = lab.proto(text, 24)
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    expected = lab.runtime(model, present)
    for name, array in present.items():
        model.graph.initializer.append(onnx_tensor(name, array))
    del model.graph.input[:]
    prepared = prepare(lab.hub(model)).model
    assert not len(prepared.ir.graph), "not folded"
    found = [v.const_value.numpy() for v in prepared.ir.graph.outputs]
    lab.same(expected, found, rtol=2e-6, atol=2e-7)


def onnx_tensor(name, array):
    from onnx import numpy_helper

    return numpy_helper.from_array(array, name)


def test_every_kernel_is_tested():
    assert {c.values[0] for c in CASES} == set(KERNELS)


@pytest.mark.parametrize(
    ("body", "constants"),
    [
        ("y = Div(a, b)", {"a": np.int64([1, 2]), "b": np.int64([1, 0])}),
        ("y = Div(a, b)", {"a": np.int64([np.iinfo(np.int64).min, 2]), "b": np.int64([-1, 1])}),
        ("y = Mod(a, b)", {"a": np.int64([1, 2]), "b": np.int64([1, 0])}),
        ("y = Cast <to = 7> (b)", {"b": np.float32([1, np.nan])}),
        ("y = Cast <to = 7> (b)", {"b": np.float32([1, 1e30])}),
        ("y = Cast <to = 7> (b)", {"b": np.float32([1, np.inf])}),
        ("y = Gather(a, b)", {"a": np.int64([1, 2]), "b": np.int64([0, 2])}),
        ("y = Pow(a, b)", {"a": np.int64([1, 2]), "b": np.int64([2, -1])}),
    ],
)
def test_undefined_results_are_left_to_the_runtime(lab, body, constants):
    model = lab.proto(f"() => (int64[2] y) {{ {body} }}", 21, **constants)
    assert len(prepare(lab.hub(model)).model.ir.graph) == 1


@pytest.mark.parametrize("op", ["RandomNormal", "RandomUniform"])
def test_random_ops_are_never_folded(lab, op):
    model = lab.proto(f"() => (float[2] y) {{ y = {op} <shape = [2]> () }}", 21)
    assert lab.types(prepare(lab.hub(model)).model) == [op]


def test_weights_that_are_dequantised_stay_quantised(lab):
    model = lab.proto(
        "() => (float[3] y) { y = DequantizeLinear(q, s) }", 21, q=np.int8([1, 2, 3]), s=np.float32(0.5)
    )
    assert lab.types(prepare(lab.hub(model)).model) == ["DequantizeLinear"]


@pytest.mark.parametrize(
    "text",
    [
        "() => (float y) { y = ConstantOfShape(n) }",
        "() => (int64 y) { y = Range(z, big, one) }",
        "() => (float y) { y = Expand(f, n) }",
        "() => (float y) { y = Tile(v, n) }",
        "() => (float y) { y = Pad(v, p) }",
    ],
)
def test_large_constants_are_never_expanded(lab, text):
    constants = {
        "n": np.int64([1 << 40]),
        "p": np.int64([0, 1 << 40]),
        "z": np.int64(0),
        "one": np.int64(1),
        "big": np.int64(1 << 40),
        "f": np.float32(1),
        "v": np.float32([1, 2]),
    }
    model = lab.proto(text, 21, **constants)
    assert len(prepare(lab.hub(model)).model.ir.graph) == 1


def test_the_limit_is_that_of_the_caller(lab):
    text = "() => (float y) { y = ConstantOfShape(n) }"
    model = lab.proto(text, 21, n=np.int64([1000]))
    assert len(prepare(lab.hub(model), fold_limit_bytes=4000).model.ir.graph) == 0
    assert len(prepare(lab.hub(model), fold_limit_bytes=3990).model.ir.graph) == 1
