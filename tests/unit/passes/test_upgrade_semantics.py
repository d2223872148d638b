"""Each adapter: the model at its old opset in ONNX Runtime against the prepared one."""

from __future__ import annotations

import numpy as np
import pytest

X = "float[2,3,4,5] x"


def unary(op, attrs="", output="float[2,3,4,5] y"):
    return f"({X}) => ({output}) {{ y = {op} {attrs} (x) }}"


CASES = [
    *[
        (f"{op}-{opset}-{axis}", unary(op, f"<axis = {axis}>"), opset, {})
        for op in ("Softmax", "LogSoftmax", "Hardmax")
        for opset in (7, 11, 12, 13)
        for axis in (0, 1, 2, 3)
    ],
    ("softmax-negative-axis", unary("Softmax", "<axis = -2>"), 11, {}),
    ("softmax-default-axis-7", unary("Softmax"), 7, {}),
    ("softmax-default-axis-13", unary("Softmax"), 13, {}),
    ("softmax-rank-2", "(float[3,5] x) => (float[3,5] y) { y = Softmax(x) }", 9, {}),
    ("softmax-trailing-ones", "(float[2,5,1,1] x) => (float[2,5,1,1] y) { y = Softmax(x) }", 9, {}),
    ("softmax-leading-one", "(float[2,1,5] x) => (float[2,1,5] y) { y = Softmax(x) }", 9, {}),
    ("clip-6", unary("Clip", "<min = -0.5, max = 0.25>"), 7, {}),
    ("clip-6-low", unary("Clip", "<min = 0.0>"), 7, {}),
    ("clip-6-none", unary("Clip"), 7, {}),
    ("clip-11", f"({X}, float w) => (float[2,3,4,5] y) {{ y = Clip(x, w) }}", 11, {"w": np.float32(0.1)}),
    ("dropout-7", unary("Dropout", "<ratio = 0.3>"), 7, {}),
    ("dropout-10", unary("Dropout"), 10, {}),
    ("dropout-12", unary("Dropout"), 12, {}),
    ("pad-2", unary("Pad", "<pads = [0,1,2,0,1,0,0,3], value = 1.5>", "float[a,b,c,d] y"), 9, {}),
    (
        "pad-2-reflect",
        unary("Pad", '<pads = [0,0,2,1,0,0,1,1], mode = "reflect">', "float[a,b,c,d] y"),
        9,
        {},
    ),
    ("pad-2-crop", unary("Pad", "<pads = [0,0,-1,1,0,0,1,-2]>", "float[a,b,c,d] y"), 9, {}),
    (
        "pad-11",
        f'({X}, int64[8] w) => (float[a,b,c,d] y) {{ y = Pad <mode = "edge"> (x, w) }}',
        11,
        {"w": np.array([1, 0, 0, 2, 0, 1, 1, 0])},
    ),
    (
        "slice-1",
        unary("Slice", "<starts = [1, -3], ends = [3, 100], axes = [1, 3]>", "float[a,b,c,d] y"),
        9,
        {},
    ),
    ("slice-1-no-axes", unary("Slice", "<starts = [0, 1], ends = [1, -1]>", "float[a,b,c,d] y"), 9, {}),
    (
        "slice-10-steps",
        f"({X}, int64[2] s, int64[2] e, int64[2] a, int64[2] t) => (float[m,n,o,p] y)"
        " { y = Slice(x, s, e, a, t) }",
        10,
        {"s": [3, 0], "e": [0, 5], "a": [2, 3], "t": [-1, 2]},
    ),
    ("squeeze-1", "(float[2,1,3,1] x) => (float[a,b] y) { y = Squeeze <axes = [1, 3]> (x) }", 9, {}),
    ("squeeze-1-all", "(float[2,1,3,1] x) => (float[a,b] y) { y = Squeeze(x) }", 9, {}),
    (
        "squeeze-11-negative",
        "(float[2,1,3,1] x) => (float[a,b,c] y) { y = Squeeze <axes = [-1]> (x) }",
        11,
        {},
    ),
    ("unsqueeze-1", "(float[2,3] x) => (float[a,b,c,d] y) { y = Unsqueeze <axes = [0, 3]> (x) }", 9, {}),
    *[
        (f"{op}-{opset}-{axes}-{keep}", unary(op, f"<{axes}keepdims = {keep}>", "float y"), opset, {})
        for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp", "ReduceProd")
        for opset in (7, 11, 12, 17)
        for axes in ("axes = [1, 3], ", "")
        for keep in (0, 1)
        if op != "ReduceSum" or opset < 13
    ],
    ("reduce-negative-axes", unary("ReduceSum", "<axes = [-1, 0]>", "float y"), 11, {}),
    (
        "split-2",
        f"({X}) => (float[a,b,c,d] y, float[e,f,g,h] z) {{ y, z = Split <axis = 2, split = [1, 3]> (x) }}",
        9,
        {},
    ),
    (
        "split-2-equal",
        f"({X}) => (float[a,b,c,d] y, float[e,f,g,h] z) {{ y, z = Split <axis = 2> (x) }}",
        9,
        {},
    ),
    (
        "split-13-equal",
        f"({X}) => (float[a,b,c,d] y, float[e,f,g,h] z) {{ y, z = Split <axis = 2> (x) }}",
        13,
        {},
    ),
    (
        "split-18-uneven",
        f"({X}) => (float[a,b,c,d] y, float[e,f,g,h] z) {{ y, z = Split <axis = 3, num_outputs = 2> (x) }}",
        18,
        {},
    ),
    (
        "topk-1",
        f"({X}) => (float[a,b,c,d] y, int64[e,f,g,h] i) {{ y, i = TopK <k = 2, axis = 2> (x) }}",
        9,
        {},
    ),
    ("topk-1-default", f"({X}) => (float[a,b,c,d] y, int64[e,f,g,h] i) {{ y, i = TopK <k = 3> (x) }}", 9, {}),
    (
        "topk-10",
        f"({X}, int64[1] k) => (float[a,b,c,d] y, int64[e,f,g,h] i) {{ y, i = TopK <axis = 1> (x, k) }}",
        10,
        {"k": [2]},
    ),
    *[
        (
            f"batch-normalization-{opset}",
            f"({X}, float[3] s, float[3] b, float[3] m, float[3] v) => (float[2,3,4,5] y)"
            " { y = BatchNormalization <epsilon = 0.01> (x, s, b, m, v) }",
            opset,
            {"s": np.float32([1, 2, -1]), "b": np.float32([0, 1, 2]), "m": np.float32([0.1, 0.2, 0.3])}
            | {"v": np.float32([1, 0.5, 2])},
        )
        for opset in (7, 9, 14, 15)
    ],
    (
        "batch-normalization-7-per-element",
        "(float[2,3,4] x, float[3,4] s, float[3,4] b, float[3,4] m, float[3,4] v) => (float[2,3,4] y)"
        " { y = BatchNormalization <spatial = 0> (x, s, b, m, v) }",
        7,
        {name: np.random.default_rng(1).uniform(0.5, 2, (3, 4)).astype(np.float32) for name in "sbmv"},
    ),
    (
        "gemm-7",
        "(float[3,4] a, float[5,4] b, float[1,5] c) => (float[3,5] y) { y = Gemm <transB = 1> (a, b, c) }",
        7,
        {},
    ),
    (
        "gemm-9-scalar-bias",
        "(float[3,4] a, float[4,5] b, float c) => (float[3,5] y) { y = Gemm <beta = 0.5> (a, b, c) }",
        9,
        {},
    ),
    ("upsample-7", unary("Upsample", "<scales = [1.0, 1.0, 2.0, 3.0]>", "float[a,b,c,d] y"), 7, {}),
    ("upsample-7-fraction", unary("Upsample", "<scales = [1.0, 1.0, 1.5, 2.5]>", "float[a,b,c,d] y"), 7, {}),
    (
        "upsample-7-linear",
        unary("Upsample", '<scales = [1.0, 1.0, 2.0, 1.6], mode = "linear">', "float[a,b,c,d] y"),
        7,
        {},
    ),
    (
        "upsample-9-linear",
        f'({X}, float[4] w) => (float[a,b,c,d] y) {{ y = Upsample <mode = "linear"> (x, w) }}',
        9,
        {"w": np.float32([1, 1, 2, 3])},
    ),
    ("upsample-9-dynamic", f"({X}, float[4] w) => (float[a,b,c,d] y) {{ y = Upsample(x, w) }}", 9, None),
    *[
        (
            f"resize-10-{mode}-{scales}",
            f'({X}, float[4] w) => (float[a,b,c,d] y) {{ y = Resize <mode = "{mode}"> (x, w) }}',
            10,
            {"w": np.float32(scales)},
        )
        for mode in ("nearest", "linear")
        for scales in ([1, 1, 2, 3], [1, 1, 0.5, 0.6], [1, 1, 0.7, 2.3], [1, 1, 1.7, 0.4], [1, 1, 1, 0.4])
        if mode == "nearest" or scales[2] != 0.7
    ],
    *[
        (
            f"resize-11-{transform}-{rounding}",
            f"({X}, float[8] r, float[4] w) => (float[a,b,c,d] y) {{ y = Resize <"
            f'coordinate_transformation_mode = "{transform}", nearest_mode = "{rounding}"> (x, r, w) }}',
            11,
            {"w": np.float32([1, 1, 0.7, 2.6]), "r": np.zeros(0, np.float32)},
        )
        for transform, rounding in (
            ("asymmetric", "floor"),
            ("half_pixel", "round_prefer_floor"),
            ("align_corners", "ceil"),
            ("tf_half_pixel_for_nn", "floor"),
            ("tf_half_pixel_for_nn", "round_prefer_floor"),
        )
    ],
    (
        "resize-11-sizes",
        f"({X}, float[8] r, float[4] w, int64[4] n) => (float[a,b,c,d] y)"
        ' { y = Resize <mode = "cubic"> (x, r, w, n) }',
        11,
        {"r": np.zeros(0, np.float32), "w": np.zeros(0, np.float32), "n": [2, 3, 7, 6]},
    ),
    (
        "resize-11-crop",
        f'({X}, float[8] r, float[4] w) => (float[a,b,c,d] y) {{ y = Resize <mode = "linear",'
        ' coordinate_transformation_mode = "tf_crop_and_resize"> (x, r, w) }',
        11,
        {"r": np.float32([0, 0, 0.2, 0.1, 1, 1, 0.8, 0.9]), "w": np.float32([1, 1, 2, 2])},
    ),
    (
        "roi-align-10",
        "(float[1,2,8,9] x, float[2,4] r, int64[2] i) => (float[a,b,c,d] y)"
        " { y = RoiAlign <output_height = 3, output_width = 2, sampling_ratio = 2> (x, r, i) }",
        10,
        {"r": np.float32([[0.5, 1, 6, 7], [2, 1.5, 8, 5]]), "i": [0, 0]},
    ),
    *[
        (
            f"grid-sample-16-{mode}",
            f'({X}, float[2,3,2,2] g) => (float[a,b,c,d] y) {{ y = GridSample <mode = "{mode}"> (x, g) }}',
            16,
            {},
        )
        for mode in ("bilinear", "nearest", "bicubic")
    ],
    ("dft-17", "(float[2,5,3,1] x) => (float[a,b,c,d] y) { y = DFT(x) }", 17, {}),
    (
        "dft-17-axis",
        "(float[2,5,3,2] x) => (float[a,b,c,d] y) { y = DFT <axis = 2, inverse = 1> (x) }",
        17,
        {},
    ),
    (
        "group-normalization-18",
        "(float[2,6,4,5] x, float[3] s, float[3] b) => (float[2,6,4,5] y)"
        " { y = GroupNormalization <num_groups = 3> (x, s, b) }",
        18,
        {"s": np.float32([1, 2, 3]), "b": np.float32([0.1, 0.2, -0.3])},
    ),
    (
        "scatter-9",
        "(float[3,4] x, int64[2,4] i, float[2,4] u) => (float[3,4] y) { y = Scatter <axis = 0> (x, i, u) }",
        9,
        {"i": np.array([[0, 1, 2, 0], [1, 2, 0, 2]])},
    ),
    ("shape-13", f"({X}) => (int64[4] y) {{ y = Shape(x) }}", 13, {}),
    ("equal-7", "(int64[2,3] a, int64[3] b) => (bool[2,3] y) { y = Equal(a, b) }", 7, {}),
    ("max-8", "(float[2,3] a, float[3] b) => (float[2,3] y) { y = Max(a, b) }", 8, {}),
    ("pow-7", "(float[2,3] a, float[3] b) => (float[2,3] y) { z = Abs(a)  y = Pow(z, b) }", 7, {}),
    ("prelu-7", "(float[2,3,4] x, float[3,1] s) => (float[2,3,4] y) { y = PRelu(x, s) }", 7, {}),
    (
        "one-hot-9",
        "(int64[2,3] x, int64 d, float[2] v) => (float[a,b,c] y) { y = OneHot <axis = 1> (x, d, v) }",
        9,
        {"d": np.int64(4), "v": np.float32([-1, 5])},
    ),
    ("flatten-9", unary("Flatten", "<axis = 2>", "float[a,b] y"), 9, {}),
    (
        "quantize-10",
        f"({X}, float s, uint8 z) => (float[2,3,4,5] y)"
        " { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
        10,
        {"s": np.float32(0.05), "z": np.uint8(120)},
    ),
    (
        "quantize-13-axis",
        f"({X}, float[3] s, int8[3] z) => (float[2,3,4,5] y)"
        " { q = QuantizeLinear <axis = 1> (x, s, z) y = DequantizeLinear <axis = 1> (q, s, z) }",
        13,
        {"s": np.float32([0.05, 0.1, 0.02]), "z": np.int8([0, 3, -5])},
    ),
    *[
        (
            f"{op}-{opset}-{attrs}",
            f"(float[2,3,7,6] x) => (float[a,b,c,d] y) {{ y = {op} <kernel_shape = [3, 2], {attrs}> (x) }}",
            opset,
            {},
        )
        for op, opset, attrs in (
            ("MaxPool", 7, 'strides = [2, 2], auto_pad = "SAME_UPPER"'),
            ("MaxPool", 8, 'strides = [2, 2], auto_pad = "SAME_LOWER"'),
            ("MaxPool", 10, "strides = [2, 2], ceil_mode = 1, dilations = [2, 1]"),
            ("MaxPool", 12, 'strides = [2, 2], auto_pad = "SAME_UPPER"'),
            ("AveragePool", 7, 'strides = [2, 2], auto_pad = "SAME_UPPER"'),
            ("AveragePool", 7, "strides = [2, 1], pads = [1, 0, 1, 1], count_include_pad = 1"),
            ("AveragePool", 10, "strides = [2, 4], ceil_mode = 1"),
            ("AveragePool", 10, "strides = [2, 4], ceil_mode = 1, pads = [1, 1, 1, 1]"),
            ("AveragePool", 11, 'strides = [2, 2], auto_pad = "SAME_LOWER", count_include_pad = 1'),
            (
                "AveragePool",
                10,
                "strides = [2, 4], ceil_mode = 1, pads = [1, 1, 1, 1], count_include_pad = 1",
            ),
            (
                "AveragePool",
                11,
                "strides = [3, 3], ceil_mode = 1, pads = [1, 0, 2, 1], count_include_pad = 1",
            ),
            ("AveragePool", 11, 'strides = [3, 4], ceil_mode = 1, auto_pad = "VALID"'),
            ("MaxPool", 11, "strides = [3, 4], ceil_mode = 1, pads = [1, 1, 2, 1]"),
            ("LpPool", 7, "strides = [2, 2], p = 3, pads = [1, 0, 1, 1]"),
            ("LpPool", 11, 'strides = [2, 2], auto_pad = "SAME_UPPER"'),
        )
    ],
    *[
        (
            f"conv-transpose-{opset}-{attrs}",
            "(float[1,2,5,4] x, float[2,3,3,3] w) => (float[a,b,c,d] y)"
            f" {{ y = ConvTranspose <{attrs}> (x, w) }}",
            opset,
            {},
        )
        for opset in (7, 11)
        for attrs in (
            'auto_pad = "SAME_UPPER", strides = [2, 2]',
            'auto_pad = "SAME_LOWER", strides = [2, 2]',
            "output_padding = [1, 1], strides = [2, 3], pads = [1, 0, 1, 1]",
            "output_shape = [10, 9], strides = [2, 2]",
        )
    ],
    *[
        (
            f"{op}-7-{direction}",
            f"(float[4,2,3] x, float[{n},{g * 5},3] w, float[{n},{g * 5},5] r, float[{n},{g * 10}] b)"
            f" => (float[p,q,s,t] y, float[u,v,m] h)"
            f' {{ y, h = {op} <hidden_size = 5, direction = "{direction}"> (x, w, r, b) }}',
            7,
            {},
        )
        for op, g in (("RNN", 1), ("GRU", 3), ("LSTM", 4))
        for direction, n in (("forward", 1), ("reverse", 1), ("bidirectional", 2))
    ],
    (
        "cumsum-11",
        "(float[3,4] x, int32 a) => (float[3,4] y) { y = CumSum <exclusive = 1, reverse = 1> (x, a) }",
        11,
        {"a": np.int32(1)},
    ),
    (
        "depth-to-space-1",
        "(float[1,8,2,3] x) => (float[a,b,c,d] y) { y = DepthToSpace <blocksize = 2> (x) }",
        7,
        {},
    ),
    (
        "space-to-depth-1",
        "(float[1,2,4,6] x) => (float[a,b,c,d] y) { y = SpaceToDepth <blocksize = 2> (x) }",
        7,
        {},
    ),
    ("lrn-1", "(float[1,7,2,3] x) => (float[a,b,c,d] y) { y = LRN <size = 5, alpha = 0.3> (x) }", 7, {}),
    ("reshape-5", f"({X}, int64[3] s) => (float[a,b,c] y) {{ y = Reshape(x, s) }}", 7, {"s": [0, -1, 10]}),
    ("cast-9", "(float[2,3] x) => (int32[2,3] y) { y = Cast <to = 6> (x) }", 9, {}),
    ("celu-12", unary("Celu", "<alpha = 2.0>"), 12, {}),
    ("arg-max-7", unary("ArgMax", "<axis = 2>", "int64[a,b,c,d] y"), 7, {}),
]


@pytest.mark.parametrize(("text", "opset", "bound"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_old_forms_keep_their_meaning(lab, text, opset, bound):
    if bound is None:
        model = lab.proto(text, opset)
        feeds = lab.random_inputs(model) | {"w": np.float32([1, 1, 2, 3])}
        lab.keeps(model, feeds=feeds)
        return
    model = lab.proto(text, opset, **{k: np.asarray(v) for k, v in bound.items()})
    newest = {} if "RoiAlign" not in text else {"opset": 21}  # ONNX Runtime has no kernel from 22 on
    for seed in range(2):
        lab.keeps(model, seed, **newest)
