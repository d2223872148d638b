"""Random small networks: the same results before and after, and no origin lost."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from edgekit.ir import origin_of

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Network:
    """Grows a network op by op, drawing what fits the current value of shape [n, c, h, w]."""

    def __init__(self, draw, opset):
        self.draw, self.opset = draw, opset
        self.rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        self.nodes, self.constants = [], []
        self.shape = (2, draw(st.sampled_from([2, 3, 4])), draw(st.integers(3, 6)), draw(st.integers(3, 6)))
        self.first = self.shape
        self.value, self.pool = "x", [("x", self.shape)]

    def const(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, *shape):
        return self.const(self.rng.uniform(0.3, 1.2, shape).astype(np.float32))

    def add(self, op, *inputs, shape=None, **attrs):
        result = f"v{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, inputs or [self.value], [result], f"n{len(self.nodes)}", **attrs)
        )
        self.value, self.shape = result, shape or self.shape
        self.pool.append((self.value, self.shape))

    def conv(self):
        n, c, h, w = self.shape
        out, pad = self.draw(st.sampled_from([1, 3, 4])), self.draw(st.integers(0, 1))
        if h + 2 * pad < 2 or w + 2 * pad < 2:
            return
        bias = [self.weights(out)] if self.draw(st.booleans()) else []
        self.add(
            "Conv",
            self.value,
            self.weights(out, c, 2, 2),
            *bias,
            pads=[pad] * 4,
            shape=(n, out, h + 2 * pad - 1, w + 2 * pad - 1),
        )

    def norm(self):
        c = self.shape[1]
        self.add("BatchNormalization", self.value, *(self.weights(c) for _ in range(4)))

    def affine(self):
        c = self.shape[1]
        kind = self.draw(st.sampled_from(["channel", "scalar", "column", "matrix"]))
        shape = {"channel": (c, 1, 1), "scalar": (), "column": self.shape[-1:], "matrix": self.shape[-2:]}[
            kind
        ]
        op = self.draw(st.sampled_from(["Mul", "Add", "Sub", "Div"]))
        operands = [self.value, self.weights(*shape)]
        if op in ("Mul", "Add", "Sub") and self.draw(st.booleans()):
            operands.reverse()
        self.add(op, *operands)

    def unary(self):
        self.add(self.draw(st.sampled_from(["Relu", "Sigmoid", "Tanh", "Identity", "Neg", "Dropout"])))

    def residual(self):
        fitting = [name for name, shape in self.pool if shape == self.shape]
        self.add("Add", self.value, self.draw(st.sampled_from(fitting)))

    def pad(self):
        n, c, h, w = self.shape
        amounts = [
            0,
            0,
            *self.draw(st.tuples(*[st.integers(0, 1)] * 2)),
            0,
            0,
            *self.draw(st.tuples(*[st.integers(0, 1)] * 2)),
        ]
        operands = [self.value] if self.opset < 11 else [self.value, self.const(np.int64(amounts))]
        attrs = {"pads": amounts} if self.opset < 11 else {}
        shape = (n, c, h + amounts[2] + amounts[6], w + amounts[3] + amounts[7])
        self.add("Pad", *operands, shape=shape, **attrs)

    def pool_(self):
        n, c, h, w = self.shape
        if h < 2 or w < 2:
            return
        op = self.draw(st.sampled_from(["MaxPool", "AveragePool"]))
        self.add(op, kernel_shape=[2, 2], shape=(n, c, h - 1, w - 1))

    def transpose(self):
        perm = self.draw(st.permutations([0, 1, 2, 3]))
        self.add("Transpose", perm=list(perm), shape=tuple(self.shape[p] for p in perm))

    def reshape(self):
        n, c, h, w = self.shape
        target = self.draw(st.sampled_from([(0, -1, h, w), (n, c * h, w, 1), (0, 0, -1, 1), (n, c, h, w)]))
        known = [s if t == 0 else t for s, t in zip(self.shape, target, strict=True)]
        rest = n * c * h * w // -int(np.prod(known)) if -1 in known else 0
        self.add(
            "Reshape",
            self.value,
            self.const(np.int64(target)),
            shape=tuple(rest if k == -1 else k for k in known),
        )

    def shape_chain(self):
        """Reshape to a shape that is computed from the value's own."""
        source = self.value
        self.nodes.append(helper.make_node("Shape", [source], [f"s{len(self.nodes)}"], f"n{len(self.nodes)}"))
        computed = self.nodes[-1].output[0]
        self.add("Reshape", source, computed)

    def softmax(self):
        self.add("Softmax", axis=self.draw(st.integers(0, 3)))

    def clip(self):
        if self.opset < 11:
            self.add("Clip", min=-0.5, max=0.5)
        else:
            self.add("Clip", self.value, self.const(np.float32(-0.5)), self.const(np.float32(0.5)))

    def twice(self):
        """The same node twice, and a constant subgraph."""
        source, shape = self.value, self.shape
        self.add("Abs")
        first = self.value
        self.add("Abs", source, shape=shape)
        self.add("Add", first, self.value)
        self.add("Mul", self.const(np.float32(0.5)), self.const(np.float32(1.5)), shape=())
        folded, self.shape = self.value, shape
        self.add("Mul", self.pool[-2][0], folded, shape=shape)


STEPS = (
    "conv",
    "conv",
    "norm",
    "affine",
    "affine",
    "unary",
    "residual",
    "pad",
    "pool_",
    "transpose",
    "reshape",
)
STEPS += ("shape_chain", "softmax", "clip", "twice")


@st.composite
def networks(draw):
    net = Network(draw, draw(st.sampled_from([7, 9, 11, 13, 15, 17])))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=12)):
        getattr(net, step)()
    if not net.nodes:
        net.unary()
    shape = list(net.first)
    if draw(st.booleans()):
        shape[0] = "N"
    graph = helper.make_graph(
        net.nodes,
        "main",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(net.value, onnx.TensorProto.FLOAT, None)],
        net.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", net.opset)], ir_version=8)


@SETTINGS
@given(model=networks(), seed=st.integers(0, 99))
def test_results_and_origins_are_kept(lab, model, seed):
    result = lab.keeps(model, seed, sizes={"N": 2}, rtol=1e-4, atol=2e-5)
    dtypes = [v.dtype for node in result.ir.graph for v in node.outputs]
    assert None not in dtypes
    kept = {name for node in result.ir.graph for name in origin_of(node).nodes}
    lost = {n.name for n in model.graph.node if n.op_type in ("Conv", "BatchNormalization", "Softmax")} - kept
    if lost:
        # Only what no output depends on, or what is constant, may be gone.
        assert lost <= unused(model)


def unused(model):
    needed, gone = {v.name for v in model.graph.output}, set()
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
        else:
            gone.add(node.name)
    return gone
