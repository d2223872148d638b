"""If, Loop and Scan against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import shape_inference

HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'


@pytest.fixture
def same(bench):
    """Runs a model written as text in both runtimes."""

    def run(text, **feed):
        model = shape_inference.infer_shapes(onnx.parser.parse_model(HEAD + text))
        arrays = {k: np.asarray(v) for k, v in feed.items()}
        want = bench._source(model, arrays)
        for a, b in zip(bench.run(model, arrays), want, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-5)

    return run


@pytest.fixture
def x():
    return np.float32([1, -2, 3])


@pytest.mark.parametrize("taken", [True, False])
def test_if_with_captured_values_and_results_of_different_shape(same, x, taken):
    same(
        """g (float[3] x, bool c) => (float[n] y) {
             two = Constant<value = float {2.0}>()
             z = Mul(x, two)
             y = If(c) <
               then_branch = t () => (float[3] a) { a = Add(x, z) },
               else_branch = e () => (float[2] b) { k = Constant<value = float[2] {1, 2}>() b = Mul(k, two) }
             >
           }""",
        x=x,
        c=taken,
    )


LOOP = """g (float[3] x{more}) => (float[3] y, float[k,3] s) {{
  go = Constant<value = bool {{1}}>()
  {trips}
  y, s = Loop(m, go, x) <body = b (int64 i, bool ci, float[3] v) => (bool co, float[3] vo, float[3] so) {{
    {condition}
    fi = Cast<to=1>(i)
    t = Add(v, fi)
    vo = Add(t, x)
    so = Mul(v, v)
  }}>
}}"""
ALWAYS = "co = Identity(ci)"


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_loop_of_a_number_of_steps_known_at_run_time(same, x, trips):
    same(LOOP.format(more=", int64 m", trips="", condition=ALWAYS), x=x, m=trips)


def test_loop_of_a_known_number_of_steps(same, x):
    same(LOOP.format(more="", trips="m = Constant<value = int64 {5}>()", condition=ALWAYS), x=x)


@pytest.mark.parametrize("limit", [-100.0, 10.0, 1e9])
def test_loop_that_ends_early(same, x, limit):
    condition = "u = ReduceSum<keepdims=0>(v) co = Less(u, lim)"
    trips = "m = Constant<value = int64 {6}>()"
    same(
        LOOP.format(more=", float lim", trips=trips, condition=condition), x=np.abs(x), lim=np.float32(limit)
    )


@pytest.mark.parametrize("limit", [0.0, 10.0, 100.0])
def test_loop_without_a_number_of_steps(same, x, limit):
    same(
        """g (float[3] x, float lim) => (float[3] y) {
             go = Constant<value = bool {1}>()
             y = Loop(, go, x) <body = b (int64 i, bool ci, float[3] v) => (bool co, float[3] vo) {
               vo = Add(v, v)
               t = ReduceSum<keepdims=0>(vo)
               co = Less(t, lim)
             }>
           }""",
        x=np.abs(x),
        lim=np.float32(limit),
    )


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_loop_whose_value_grows(same, x, steps):
    same(
        """g (float[3] x, int64 m) => (float[k] y) {
             go = Constant<value = bool {1}>()
             y = Loop(m, go, x) <body = b (int64 i, bool ci, float[k] v) => (bool co, float[j] vo) {
               co = Identity(ci)
               vo = Concat<axis=0>(v, x)
             }>
           }""",
        x=x,
        m=steps,
    )


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_if_inside_a_loop(same, x, steps):
    same(
        """g (float[3] x, int64 m) => (float[3] y) {
             go = Constant<value = bool {1}>()
             y = Loop(m, go, x) <body = b (int64 i, bool ci, float[3] v) => (bool co, float[3] vo) {
               co = Identity(ci)
               two = Constant<value = int64 {2}>()
               r = Mod(i, two)
               zero = Constant<value = int64 {0}>()
               even = Equal(r, zero)
               vo = If(even) <
                 then_branch = t () => (float[3] a) { a = Add(v, x) },
                 else_branch = e () => (float[3] c) { c = Neg(v) }
               >
             }>
           }""",
        x=x,
        m=steps,
    )


@pytest.mark.parametrize("length", ["5", "n"])
def test_scan_in_both_directions_along_any_axis(same, rng, length):
    same(
        f"""g (float[2] s0, float[{length},2] x, float[2,{length}] z)
              => (float[2] s, float[{length},2] o, float[2,{length}] p) {{
             s, o, p = Scan<num_scan_inputs=2, scan_input_axes=[0,1], scan_input_directions=[0,1],
                            scan_output_axes=[0,1], scan_output_directions=[1,0],
               body = b (float[2] a, float[2] u, float[2] w) => (float[2] ao, float[2] q, float[2] qq) {{
                 t = Add(a, u)
                 ao = Mul(t, w)
                 q = Identity(ao)
                 qq = Sub(a, w)
               }}>(s0, x, z)
           }}""",
        s0=rng.random(2, np.float32),
        x=rng.random((5, 2), np.float32),
        z=rng.random((2, 5), np.float32),
    )
