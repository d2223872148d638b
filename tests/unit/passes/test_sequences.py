"""Sequences whose elements are known become tensors; others stay."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir import origin_of
from edgekit.passes import prepare

S = np.int64
BOUND = {
    "two": S(2), "sizes": S([1, 4, 2]), "i0": S(0), "i1": S(1), "last": S(-1), "far": S(7),
    "none": S([0, 7, 0]),
}  # fmt: skip


def model(lab, body, inputs="float[2,7] x", output="float"):
    used = {k: v for k, v in BOUND.items() if any(f"{p}{k}{q}" in body for p in "( " for q in ",)")}
    proto = lab.proto(f"({inputs}) => ({output} y) {{ {body} }}", 17, **used)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    return proto


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("s = SplitToSequence <axis = 1> (x, two) y = SequenceAt(s, i1)", {"Slice"}),
        ("s = SplitToSequence <axis = -1> (x, two) y = SequenceAt(s, last)", {"Slice"}),
        ("s = SplitToSequence <axis = 1> (x, sizes) y = SequenceAt(s, i1)", {"Slice"}),
        ("s = SplitToSequence <axis = 1> (x, none) y = SequenceAt(s, i1)", {"Identity"}),
        ("s = SplitToSequence <axis = 1, keepdims = 0> (x) y = SequenceAt(s, i1)", {"Slice", "Squeeze"}),
        ("s = SplitToSequence <axis = 1, keepdims = 1> (x) y = SequenceAt(s, i1)", {"Slice"}),
        (
            "s = SplitToSequence(x) a = SequenceAt(s, i0) b = SequenceAt(s, i1) y = Sub(b, a)",
            {"Slice", "Sub"},
        ),
        ("a = Relu(x) s = SequenceConstruct(x, a) y = SequenceAt(s, last)", {"Relu"}),
        ("a = Relu(x) s = SequenceConstruct(x, a) y = ConcatFromSequence <axis = 1> (s)", {"Relu", "Concat"}),
        (
            "a = Relu(x) s = SequenceConstruct(x, a) y = ConcatFromSequence <axis = -1, new_axis = 1> (s)",
            {"Relu", "Unsqueeze", "Concat"},
        ),
        (
            "s = SplitToSequence <axis = 1> (x, sizes) y = ConcatFromSequence <axis = 1> (s)",
            {"Slice", "Concat"},
        ),
    ],
)
def test_known_elements_are_tensors(lab, body, left):
    assert set(lab.types(lab.keeps(model(lab, body)))) == left


@pytest.mark.parametrize(
    "body",
    [
        "s = SplitToSequence <axis = 1> (x, two) y = SequenceLength(s)",
        "s = SplitToSequence <axis = 1> (x) y = SequenceLength(s)",
        "s = SequenceConstruct(x, x, x) y = SequenceLength(s)",
    ],
)
def test_known_lengths_are_constants(lab, body):
    assert "SequenceLength" not in lab.types(lab.keeps(model(lab, body, output="int64")))


@pytest.mark.parametrize(
    ("body", "inputs", "kept"),
    [
        (
            "s = SplitToSequence <axis = 1> (x, two) y = SequenceAt(s, i)",
            "float[2,7] x, int64 i",
            "SequenceAt",
        ),
        ("s = SplitToSequence <axis = 1> (x, two) y = SequenceAt(s, i1)", "float[2,N] x", "SequenceAt"),
        (
            "s = SplitToSequence <axis = 1> (x, n) y = SequenceAt(s, i1)",
            "float[2,7] x, int64 n",
            "SequenceAt",
        ),
        (
            "s = SequenceConstruct(x, x) t = SequenceInsert(s, x) y = SequenceAt(t, i1)",
            "float[2,7] x",
            "SequenceAt",
        ),
    ],
)
def test_what_is_not_known_stays(lab, body, inputs, kept):
    proto = model(lab, body, inputs)
    feeds = {"x": np.arange(14, dtype=np.float32).reshape(2, 7), "i": np.array(1), "n": np.array(2)}
    used = {i.name for i in proto.graph.input}
    result = lab.keeps(proto, feeds={k: v for k, v in feeds.items() if k in used})
    assert kept in lab.types(result)


def test_a_position_beyond_the_end_is_left_to_the_runtime(lab):
    proto = model(lab, "s = SplitToSequence <axis = 1> (x, two) y = SequenceAt(s, far)")
    assert "SequenceAt" in lab.types(prepare(lab.hub(proto)).model)


def test_the_part_has_the_origin_of_the_split_and_of_the_read(lab):
    proto = model(lab, "s = SplitToSequence <axis = 1> (x, two) y = SequenceAt(s, i1)")
    (node,) = lab.keeps(proto).ir.graph
    assert set(origin_of(node).nodes) == {"main_SplitToSequence_0", "main_SequenceAt_1"}
