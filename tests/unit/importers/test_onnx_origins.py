"""Origins: stable unique ids, scopes that are right or absent, the user's own line."""

from __future__ import annotations

import onnx
import onnx.parser
import pytest

from edgekit.importers import load
from edgekit.importers.origins import frames, scope_from_metadata, scope_from_name, user_frame
from edgekit.ir import origin_of

SITE = "/home/u/venv/lib/python3.11/site-packages"


def ids(text: str) -> list[str]:
    proto = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>\n' + text)
    return [origin_of(n).nodes[0] for n in load(proto).ir.graph.all_nodes()]


def test_name_or_op_and_index() -> None:
    text = "net (float[4] x) => (float[4] y) { [first] a = Relu(x) b = Relu(a) y = Abs(b) }"
    assert ids(text) == ["first", "Relu_1", "Abs_2"]


def test_name_that_two_nodes_have_is_no_id() -> None:
    text = "net (float[4] x) => (float[4] y) { [n] a = Relu(x) [n] b = Abs(a) [Abs_1] y = Neg(b) }"
    assert ids(text) == ["Relu_0", "Abs_1_", "Abs_1"]


def test_nodes_of_subgraphs_carry_the_owner() -> None:
    text = """net (int64 n, bool c, float[4] x) => (float[4] y) {
        [loop] y = Loop (n, c, x) <body = b (int64 i, bool k, float[4] s) => (bool k2, float[4] r)
            { k2 = Identity(k) [add] r = Add(s, s) }>
    }"""
    assert ids(text) == ["loop", "loop/body/Identity_0", "loop/body/add"]


@pytest.mark.parametrize(
    ("name", "op", "scope"),
    [
        ("/features/features.3/Conv", "Conv", "features.3"),
        ("/layer1/layer1.0/conv1/Conv", "Conv", "layer1.0.conv1"),
        ("/a/a.1/a.1.0/a.1.0.2/Sigmoid", "Sigmoid", "a.1.0.2"),
        ("/head/Gemm_3", "Gemm", "head"),
        ("model/dense/MatMul", "MatMul", "model.dense"),
        ("/Conv", "Conv", None),  # the root
        ("Conv", "Conv", None),
        ("Conv_3", "Conv", None),
        ("/features/features.3/conv", "Conv", None),  # does not end with the op
        ("model/conv/BiasAdd;model/bn/Conv", "Conv", None),  # two names in one
        ("//Conv", "Conv", None),
        ("a b/Conv", "Conv", None),
    ],
)
def test_scope_from_a_name(name: str, op: str, scope: str | None) -> None:
    assert scope_from_name(name, op) == scope


@pytest.mark.parametrize(
    ("scopes", "scope"),
    [
        ("['', 'features', 'features.0', 'conv2d']", "features.0"),
        ("['', 'mul']", None),
        ("['mul']", None),
        ("garbage", None),
        ("[" * 100_000, None),
    ],
)
def test_scope_from_metadata(scopes: str, scope: str | None) -> None:
    assert scope_from_metadata({"pkg.torch.onnx.name_scopes": scopes}) == scope


def test_innermost_frame_of_the_user() -> None:
    stack = f'''File "/home/u/net.py", line 3, in forward
    y = self.block(x)
  File "{SITE}/torch/nn/modules/container.py", line 253, in forward
    input = module(input)
  File "/home/u/blocks.py", line 9, in forward
    return self.conv(x)
  File "{SITE}/torch/nn/modules/conv.py", line 565, in forward
    return self._conv_forward(input, self.weight, self.bias)'''
    assert user_frame(frames(stack)) == ("/home/u/blocks.py", 9)


def test_model_of_an_installed_package() -> None:
    stack = [(f"{SITE}/zoo/resnet.py", 12), (f"{SITE}/torch/nn/modules/conv.py", 565)]
    assert user_frame(stack) == (f"{SITE}/zoo/resnet.py", 12)


def test_no_frame_of_the_user() -> None:
    assert user_frame([(f"{SITE}/torch/nn/modules/conv.py", 565), ("<string>", 1)]) == (None, None)
