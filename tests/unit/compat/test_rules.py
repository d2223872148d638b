"""Each rule: what holds, what fails with which value, and what stays unknown."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.compat.facts import Facts
from edgekit.compat.rules import graph_rules, rules
from edgekit.ir import Quant
from edgekit.target import Outcome
from tests.unit.compat.ops import Q, const, conv, onnx, tflite, value, zeros

PASS = None
PER_AXIS = Quant((0.5, 0.25), (0, 0), 0)


def mean(axes: Any, shape: tuple[int | None, ...] = (1, 8, 8, 4)) -> Facts:
    operand = axes if not isinstance(axes, list) else const(axes)
    return tflite("MEAN", [value(shape), operand], [value((1, 4))], keep_dims=False)


def pool(kernel: int, stride: int = 1, padding: str = "VALID") -> Facts:
    options = {"filter_height": kernel, "filter_width": kernel, "stride_h": stride, "stride_w": stride}
    return tflite("MAX_POOL_2D", [value((1, 8, 8, 4))], [value((1, 8, 8, 4))], padding=padding, **options)


def add(
    a: tuple[int | None, ...], b: tuple[int | None, ...], out: tuple[int | None, ...], **attrs: Any
) -> Facts:
    return tflite("ADD", [value(a), value(b)], [value(out)], **attrs)


def onnx_conv(weights: tuple[int, ...], group: int = 1, **attrs: Any) -> Facts:
    x = value((1, weights[1] * group, 8, 8))
    return onnx("Conv", [x, zeros(weights)], [value((1, weights[0], 8, 8))], group=group, **attrs)


def resize(before: tuple[int, int], after: tuple[int | None, int | None], **attrs: Any) -> Facts:
    x, y = value((1, *before, 4)), value((1, *after, 4))
    return tflite("RESIZE_BILINEAR", [x, const(after if None not in after else [0, 0])], [y], **attrs)


SAME = (1, 8, 8, 4)
CASES: list[tuple[str, dict[str, Any], Facts, str | None]] = [
    ("stride-range", {"high": 3}, conv(stride=(3, 1)), PASS),
    ("stride-range", {"high": 3}, conv(stride=(4, 1)), "stride 4x1"),
    ("stride-range", {"high": 3}, add(SAME, SAME, SAME), "?stride"),
    ("stride-height", {"high": 2}, conv(stride=(3, 1)), "stride height 3"),
    ("stride-width", {"high": 2}, conv(stride=(3, 1)), PASS),
    ("stride-within-kernel", {}, pool(2, 2), PASS),
    ("stride-within-kernel", {}, pool(2, 3), "stride 3x3, kernel 2x2"),
    ("strides-equal", {}, conv(stride=(2, 1)), "stride 2x1"),
    ("kernel-range", {"high": 3}, conv((3, 5)), "kernel 3x5"),
    ("kernel-range", {"high": 8}, pool(8), PASS),
    ("kernel-height", {"low": 2, "high": 3}, conv((1, 5)), "kernel height 1"),
    ("kernel-width", {"high": 5}, conv((1, 5)), PASS),
    ("kernel-area", {"high": 14}, conv((3, 5)), "kernel area 15"),
    ("kernel-square", {}, conv((3, 5)), "kernel 3x5"),
    ("kernel-in", {"sizes": ("1x1", "3x5")}, conv((3, 5)), PASS),
    ("kernel-in", {"sizes": ("1x1",)}, conv((3, 5)), "kernel 3x5"),
    ("dilated-kernel-height", {"high": 64}, conv((9, 1), dilation=(8, 1)), "dilated kernel height 65"),
    ("dilated-kernel-area", {"high": 25}, conv((3, 3), dilation=(2, 2)), PASS),
    ("dilation-range", {"high": 1}, conv(dilation=(2, 1)), "dilation 2x1"),
    ("dilation-range", {"high": 1}, pool(2), PASS),
    ("dilations-equal", {}, conv(dilation=(2, 1)), "dilation 2x1"),
    ("padding-is", {"modes": ("VALID",)}, conv(), "padding SAME"),
    ("padding-is", {"modes": ("EXPLICIT",)}, onnx_conv((4, 4, 3, 3), pads=[1, 1, 1, 1]), PASS),
    ("pads-range", {"high": 1}, onnx_conv((4, 4, 3, 3), pads=[1, 2, 1, 1]), "padding 1x2x1x1"),
    ("pads-range", {"high": 1}, onnx_conv((4, 4, 3, 3), auto_pad="SAME_UPPER"), "?padding"),
    ("pads-below-kernel", {}, onnx_conv((4, 4, 3, 3), pads=[3, 0, 0, 0]), "padding 3, 0, 0, 0"),
    ("groups-range", {"high": 1}, onnx_conv((4, 2, 3, 3), group=2), "groups 2"),
    ("groups-range", {"high": 1}, conv(), PASS),
    ("depthwise", {}, onnx_conv((4, 1, 3, 3), group=4), PASS),
    ("depthwise", {}, onnx_conv((4, 2, 3, 3), group=2), "2 groups for 4 channels"),
    ("groups-one-or-depthwise", {}, onnx_conv((4, 2, 3, 3), group=2), "2 groups for 4 channels"),
    ("weight-depth", {"parallel": 8, "high": 17}, onnx_conv((4, 9, 3, 3)), "weight depth 18"),
    ("dilated-channels", {"high": 8}, onnx_conv((4, 9, 3, 3)), "dilation x channels 9"),
    ("dtype-in", {"dtypes": ("int8",)}, conv(), PASS),
    ("dtype-in", {"dtypes": ("int16",)}, conv(), "int8"),
    ("dtype-in", {"of": "bias", "dtypes": ("int64",)}, conv(), "int32"),
    ("dtype-in", {"dtypes": ("int8",)}, tflite("ABS", [value(SAME, object)], [value(SAME)]), "?dtype"),
    ("dtype-not", {"dtypes": ("int8",)}, conv(), "int8"),
    ("static-shape", {}, add((None, 4), (1, 4), (None, 4)), "shape [?, 4]"),
    ("rank-range", {"high": 3}, conv(), "rank 4"),
    ("size-range", {"of": "ifm", "axis": "C", "high": 3}, conv(), "C = 4"),
    ("size-range", {"of": "ifm", "axis": "N", "high": 1}, add((4,), (4,), (4,)), PASS),
    ("size-range", {"of": "ifm", "axis": "H", "high": 9}, add((1, None, 8, 4), SAME, SAME), "?H ="),
    ("size-multiple", {"of": "ifm", "axis": "C", "factor": 4}, conv(), PASS),
    ("size-multiple", {"of": "ofm", "axis": "C", "factor": 4}, conv(), "C = 6"),
    ("dims-range", {"high": 7}, conv(), "size 8"),
    ("elements-max", {"of": "ifm", "high": 255}, conv(), "elements: 256"),
    ("hw-product-max", {"of": "ifm", "high": 63}, conv(), "H x W = 64"),
    ("inner-dims", {"count": 3}, conv(), PASS),
    ("inner-dims", {"count": 2}, conv(), "shape [1, 8, 8, 4]"),
    ("varied-dims", {"high": 3}, conv(), PASS),
    ("varied-dims", {"high": 2}, conv(), "shape [1, 8, 8, 4]"),
    ("constant", {"of": "weights"}, conv(), PASS),
    ("constant", {"of": "ifm"}, conv(), "it is computed at run time"),
    ("not-constant", {"of": "weights"}, conv(), "a constant"),
    ("present", {"of": "bias"}, conv(), PASS),
    ("absent", {"of": "bias"}, conv(), "it is given"),
    ("inputs-range", {"low": 2, "high": 2}, conv(), "inputs: 1"),
    ("runtime-inputs", {"high": 1}, conv(), PASS),
    ("outputs-range", {"low": 2, "high": 4}, conv(), "results: 1"),
    ("dtypes-equal", {}, tflite("ABS", [value(SAME)], [value(SAME, "uint8")]), "int8, uint8"),
    ("ifm-dtypes-equal", {}, tflite("ABS", [value(SAME)], [value(SAME, "uint8")]), PASS),
    ("never", {}, conv(), "CONV_2D"),
    ("quantised", {}, conv(), PASS),
    ("quantised", {}, tflite("ABS", [value(SAME, quant=None)], [value(SAME)]), "a tensor without a scale"),
    ("per-tensor", {}, tflite("ABS", [value(SAME, quant=PER_AXIS)], [value(SAME)]), "2 scales along axis 0"),
    ("zero-point-is", {"of": "ifm"},
     tflite("ABS", [value(SAME, quant=Quant((1.0,), (3,)))], []), "zero point 3"),
    ("scale-power-of-two", {}, tflite("ABS", [value(SAME)], [value(SAME)]), PASS),
    ("scale-power-of-two", {}, tflite("ABS", [value(SAME, quant=Quant((0.3,), (0,)))], []), "scale 0.3"),
    ("scales-positive", {}, tflite("ABS", [value(SAME, quant=Quant((0.0,), (0,)))], []), "scale 0"),
    ("same-quantisation", {}, tflite("ABS", [value(SAME)], [value(SAME, quant=PER_AXIS)]), "they differ"),
    ("activation-in", {"kinds": ("NONE",)}, conv(fused_activation_function="RELU"), "RELU"),
    ("attr-in", {"name": "beta", "values": ("1",)}, tflite("SOFTMAX", [], [], beta=1.0), PASS),
    ("attr-in", {"name": "beta", "values": ("1",)}, tflite("SOFTMAX", [], [], beta=0.5), "beta = 0.5"),
    ("attr-in", {"name": "flag", "values": ("true",)}, tflite("X", [], [], flag=False), "flag = false"),
    ("attr-in", {"name": "mode", "values": ("a",), "default": "a"}, tflite("X", [], []), PASS),
    ("attr-in", {"name": "mode", "values": ("a",)}, tflite("X", [], []), "?`mode`"),
    ("attr-range", {"name": "block_size", "low": 2}, tflite("X", [], [], block_size=1), "block_size = 1"),
    ("not-both", {"first": "a", "second": "b"}, tflite("X", [], [], a=True, b=True), "both are set"),
    ("param-known", {"of": "axes"}, mean([1, 2]), PASS),
    ("param-known", {"of": "axes"}, mean(value((2,), "int32", None)), "it is computed at run time"),
    ("param-range", {"of": "axes", "low": 1, "high": 2}, mean([0]), "axes 0"),
    ("param-absent", {"of": "axes"}, mean([0]), "it is given"),
    ("pads-only", {"axes": "HW"},
     tflite("PAD", [value(SAME), const([[0, 0], [1, 1], [0, 0], [0, 0]])], []), PASS),
    ("pads-only", {"axes": "HW"}, tflite("PAD", [value(SAME), const([[1, 0], [0, 0], [0, 0], [0, 2]])], []),
     "padding along N, C"),
    ("axes-among", {"letters": "HW"}, mean([1, -2]), PASS),
    ("axes-among", {"letters": "HW"}, mean([1, 3]), "along C"),
    ("axes-among", {"letters": "HW"}, mean(value((2,), "int32", None)), "?the axis"),
    ("axes-exactly", {"letters": ("HW", "W")}, mean([2, 1]), PASS),
    ("axes-exactly", {"letters": ("HW", "W")}, mean([1]), "along H"),
    ("axis-last", {}, mean([3]), PASS),
    ("axis-last", {}, mean([1, 3]), "axis 1, 3"),
    ("axis-not", {"positions": (0,)}, mean([0, 1]), "axis 0"),
    ("axes-from-end", {"allowed": (-3,)}, onnx("ArgMax", [value((1, 4, 8, 8))], [], axis=1), PASS),
    ("axes-last-two", {}, onnx("Softmax", [value((1, 4, 8, 8))], [], axis=1), "axis -3"),
    ("same-shapes", {}, add((1, 4), (1, 1), (1, 4)), "[1, 1] and [1, 4]"),
    ("same-shapes", {}, add((1, None), (1, 1), (1, 4)), "?a size"),
    ("one-side-broadcasts", {}, add((1, 4), (3, 1), (3, 4)), "[1, 4] and [3, 1]"),
    ("broadcast-like", {"kinds": ("same", "channel")}, add(SAME, (4,), SAME), PASS),
    ("broadcast-like", {"kinds": ("same",)}, add(SAME, (1,), SAME), "[1] against [1, 8, 8, 4]"),
    ("ranks-equal", {}, add(SAME, (4,), SAME), "4, 1, 4"),
    ("gpu-broadcast", {}, add(SAME, (8, 4), SAME), PASS),
    ("gpu-broadcast", {}, add(SAME, (2, 4), SAME), "[2, 4] against [1, 8, 8, 4]"),
    ("matches-ofm-channels", {"of": "bias"}, conv(), PASS),
    ("splits-evenly", {}, tflite("SPLIT", [], [value((1, 4)), value((1, 3))]), "[1, 3] and [1, 4]"),
    ("resize-scale-in", {"scales": ("2",)}, resize((4, 4), (8, 8)), PASS),
    ("resize-scale-in", {"scales": ("2",)}, resize((4, 4), (6, 8)), "1.5 and 2"),
    ("resize-integer", {}, resize((4, 4), (6, 8)), "1.5 and 2"),
    ("resize-square", {}, resize((4, 4), (12, 8)), "3 and 2"),
    ("resize-square", {}, resize((4, 4), (None, 8)), "?a size"),
    ("slice-strides", {"high": 1},
     tflite("STRIDED_SLICE", [value(SAME), const([0]), const([1]), const([2])], []), "stride 2"),
    ("slice-strides", {"high": 1}, onnx("Slice", [value(SAME), const([0]), const([1])], []), PASS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "params", "op", "got"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)]
)
def test_a_rule(name: str, params: dict[str, Any], op: Facts, got: str | None) -> None:
    finding = rules()[name].check(op, **params)
    if got is None:
        assert finding is None, finding
        return
    assert finding is not None
    if got.startswith("?"):
        assert (finding.outcome, finding.got) == (Outcome.UNKNOWN, f"{got[1:]} is not known") or got[
            1:
        ] in finding.got
        assert finding.outcome is Outcome.UNKNOWN
    else:
        assert (finding.outcome, finding.got) == (Outcome.FAIL, got)


FAMILIES = ("window", "tensors", "attributes", "shapes", "axes", "quant", "sampling")


def test_every_rule_of_these_families_has_a_case() -> None:
    known = {name for name, rule in rules().items() if rule.check.__module__.rpartition(".")[2] in FAMILIES}
    assert {name for name, *_ in CASES} == known


def test_every_rule_is_a_sentence_without_a_full_stop() -> None:
    for rule in (*rules().values(), *graph_rules().values()):
        text = rule.sentence_for({})
        assert not text.endswith(".")
        assert not text[0].isupper()
        assert rule.name == rule.name.lower()


def test_the_quantisation_of_tests_is_a_power_of_two() -> None:
    assert Q.scale == (0.5,)
