"""ONNX models of one op: quantised (QuantizeLinear and DequantizeLinear around it, uint8), or in float32."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

OPSET = 20
UNARY = ("Relu", "Sigmoid", "Tanh", "HardSwish", "Elu", "Exp", "Log", "Sqrt", "Abs", "Neg", "Ceil", "Floor",
         "Round", "Sign", "Sin", "Cos", "Erf", "Softplus", "Softsign", "Gelu", "Reciprocal", "HardSigmoid",
         "LeakyRelu", "Selu", "Mish", "Atan")  # fmt: skip
BINARY = ("Add", "Sub", "Mul", "Div", "Min", "Max", "Pow")
REDUCE = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", "ReduceL1")


@dataclass(frozen=True)
class Case:
    """A model of one op.

    Attributes:
        op: The op.
        inputs: Shapes of operands that are computed, and arrays of those that are constant.
        attrs: Its attributes.
        outputs: How many results it has.
        dtype: Dtype of quantised activations.
        real: Whether its results are real numbers, and quantised.
    """

    op: str
    inputs: tuple[Any, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    dtype: str = "uint8"
    real: bool = True

    def __str__(self) -> str:
        """Returns the op with shapes and attributes."""
        shapes = [v if isinstance(v, tuple) else f"const{list(v.shape)}" for v in self.inputs]
        return f"{self.op}({', '.join(map(str, shapes))}; {self.attrs}; {self.dtype})"


def cases() -> Iterator[Case]:
    """Yields the models: ops, ranks, kernels, axes and dtypes in turn."""
    image, shapes = (1, 8, 16, 16), [(1, 8, 16, 16), (1, 32), (4, 8, 6), (1, 2, 3, 4, 5)]
    yield from (Case(op, (shape,)) for op in UNARY for shape in shapes[:2])
    yield from (Case(op, pair) for op in BINARY for pair in ((image, image), (image, (1, 8, 1, 1))))
    yield from (Case(op, (image,), dtype="uint16") for op in ("Relu", "Sigmoid", "Softmax"))
    yield from _windows(image)
    yield from _moves(image)
    axes = [(2, 3), (1,), (-1,)]
    yield from (Case(op, (image, np.asarray(a, np.int64))) for op, a in itertools.product(REDUCE, axes))
    yield from (Case(op, (image,), {"axis": a}, real=False) for op in ("ArgMax", "ArgMin") for a in (1, -1))
    yield from (Case("Softmax", (s,), {"axis": a}) for s, a in ((image, 1), (image, -1), ((1, 32), -1)))
    yield Case("LogSoftmax", ((1, 32),), {"axis": -1})
    yield Case("LayerNormalization", ((1, 6, 32), np.ones(32, "f"), np.zeros(32, "f")), {"axis": -1})
    yield Case("InstanceNormalization", (image, np.ones(8, "f"), np.zeros(8, "f")))
    yield Case("LRN", (image,), {"size": 3})
    yield Case("CumSum", ((1, 32), np.asarray(1, np.int64)))
    yield Case("Det", ((2, 4, 4),))


def _windows(image: tuple[int, ...]) -> Iterator[Case]:
    def weights(*shape: int) -> Any:
        return np.random.default_rng(3).standard_normal(shape).astype("f")

    for k, s, d, g in itertools.product((1, 3, 5), (1, 2), (1, 2), (1, 8)):
        if k > 1 or d == 1:
            pads = [(k - 1) * d // 2] * 4
            attrs = {"strides": [s, s], "dilations": [d, d], "group": g, "pads": pads}
            yield Case("Conv", (image, weights(8, 8 // g, k, k)), attrs)
    yield Case("Conv", ((1, 8, 32), weights(4, 8, 3)))
    yield Case("Conv", ((1, 4, 6, 6, 6), weights(4, 4, 3, 3, 3)))
    for s, g in ((1, 1), (2, 1), (3, 1), (2, 8)):
        yield Case("ConvTranspose", (image, weights(8, 8 // g, 3, 3)), {"strides": [s, s], "group": g})
    for op, k, s in itertools.product(("MaxPool", "AveragePool"), (2, 3, 8), (1, 2)):
        yield Case(op, (image,), {"kernel_shape": [k, k], "strides": [s, s]})
    yield Case("MaxPool", (image,), {"kernel_shape": [2, 2], "dilations": [2, 2]})
    yield Case("AveragePool", (image,), {"kernel_shape": [3, 3], "ceil_mode": 1, "strides": [2, 2]})
    yield from (Case(op, (image,)) for op in ("GlobalAveragePool", "GlobalMaxPool"))
    yield Case("Gemm", ((4, 32), weights(32, 10)))
    yield Case("Gemm", ((4, 32), weights(10, 32)), {"transB": 1})
    for pair in (((4, 32), weights(32, 10)), ((1, 4, 32), (1, 32, 10)), ((2, 3, 4, 8), (2, 3, 8, 4))):
        yield Case("MatMul", pair)


def _moves(image: tuple[int, ...]) -> Iterator[Case]:
    def ints(*values: int) -> Any:
        return np.asarray(values, np.int64)

    yield from (Case("Transpose", (image,), {"perm": p}) for p in ([0, 2, 3, 1], [0, 3, 1, 2], [1, 0, 2, 3]))
    yield from (Case("Concat", (image, image), {"axis": a}) for a in (1, 2, -1))
    yield from (Case("Reshape", (image, ints(*to))) for to in ((1, -1), (8, 16, 16), (1, 8, 4, 4, 16)))
    yield Case("Flatten", (image,))
    yield Case("Squeeze", (image, ints(0)))
    yield Case("Unsqueeze", (image, ints(0)))
    yield from (Case("Slice", (image, ints(0), ints(8), ints(a), ints(st))) for a in (2, 3) for st in (1, 2))
    yield from (Case("Split", (image, ints(8, 8)), {"axis": a}, outputs=2) for a in (2, 3))
    yield from (
        Case("Pad", (image, ints(0, 0, 1, 1, 0, 0, 1, 1)), {"mode": m})
        for m in ("constant", "reflect", "edge")
    )
    yield Case("Tile", (image, ints(1, 1, 2, 1)))
    yield Case("Expand", ((1, 8, 1, 16), ints(1, 8, 16, 16)))
    yield from (Case("Gather", (image, ints(0, 2)), {"axis": a}) for a in (1, 3))
    yield Case("GatherElements", ((4, 8), np.zeros((2, 8), np.int64)))
    yield Case("DepthToSpace", (image,), {"blocksize": 2})
    yield Case("SpaceToDepth", (image,), {"blocksize": 2})
    yield Case("TopK", ((1, 32), ints(5)), outputs=2)
    for mode, c in (
        ("nearest", "asymmetric"),
        ("linear", "half_pixel"),
        ("linear", "align_corners"),
        ("cubic", "half_pixel"),
    ):
        scales = np.asarray([1, 1, 2, 2], "f")
        attrs = {
            "mode": mode,
            "coordinate_transformation_mode": c,
            **({"nearest_mode": "floor"} if mode == "nearest" else {}),
        }
        yield Case("Resize", (image, np.zeros(0, "f"), scales), attrs)


def model(case: Case) -> onnx.ModelProto:
    """Builds the model of a case."""
    built = _Build(case)
    return built.model()


class _Build:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.nodes: list[Any] = []
        self.inits: list[Any] = []
        self.kind = np.dtype(case.dtype)

    def model(self) -> onnx.ModelProto:
        ports, names = [], []
        for i, value in enumerate(self.case.inputs):
            if isinstance(value, tuple):
                ports.append(helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, value))
                names.append(self.grid(f"x{i}", f"x{i}_real"))
            else:
                names.append(self.constant(value, f"c{i}"))
        results = [f"y{i}" for i in range(self.case.outputs)]
        self.nodes.append(helper.make_node(self.case.op, names, results, **self.case.attrs))
        quantised = (
            [i == 0 or self.case.op == "Split" for i in range(len(results))] if self.case.real else [False]
        )
        outs = [self.grid(y, f"{y}_real") if real else y for y, real in zip(results, quantised, strict=True)]
        types = {False: TensorProto.INT64, True: TensorProto.FLOAT}
        ends = [
            helper.make_tensor_value_info(o, types[r], None) for o, r in zip(outs, quantised, strict=True)
        ]
        graph = helper.make_graph(self.nodes, "one_op", ports, ends, self.inits)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        return shape_inference.infer_shapes(made, strict_mode=True)

    def grid(self, source: str, name: str) -> str:
        """Quantises a tensor and dequantises it; a model in float32 does neither."""
        if self.kind == np.float32:
            return source
        self.scale(name, 0.05 if self.kind == np.uint8 else 0.0002, 128 if self.kind == np.uint8 else 32768)
        ends = [f"{name}_scale", f"{name}_zero"]
        self.nodes.append(helper.make_node("QuantizeLinear", [source, *ends], [f"{name}_q"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *ends], [name]))
        return name

    def scale(self, name: str, scale: float, zero: int, kind: Any = None) -> None:
        self.inits.append(numpy_helper.from_array(np.asarray(scale, "f"), f"{name}_scale"))
        self.inits.append(numpy_helper.from_array(np.asarray(zero, kind or self.kind), f"{name}_zero"))

    def constant(self, value: Any, name: str) -> str:
        """Stores a constant; weights are quantised."""
        if value.dtype != np.float32 or self.case.op == "Resize" or self.kind == np.float32:
            self.inits.append(numpy_helper.from_array(np.asarray(value), name))
            return name
        step = max(float(np.abs(value).max()), 1e-3) / 127
        self.inits.append(numpy_helper.from_array(np.round(value / step).astype(np.int8), f"{name}_q"))
        self.scale(name, step, 0, np.int8)
        ends = [f"{name}_q", f"{name}_scale", f"{name}_zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", ends, [name]))
        return name


def of_op(case: Case, nodes: Sequence[Any]) -> int:
    """Returns the position of the case's op among the nodes of its model."""
    return next(i for i, node in enumerate(nodes) if node.op_type == case.op)
