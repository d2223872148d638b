"""Tiled convolutions and products of matrices compute what TVM's own loops compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the backend needs apache-tvm")

import tvm
from tvm import relax, te, tirx, topi

from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.pack import Pack

from .conftest import run

Check = Callable[..., Any]
Weight = Callable[..., Any]

SHAPES = [  # batch, channels, height, width, outputs, kernel, stride, pad, dilation, groups
    (1, 3, 11, 13, 16, 3, 1, 1, 1, 1),
    (2, 8, 7, 7, 24, 1, 1, 0, 1, 1),
    (1, 16, 9, 5, 58, 1, 2, 0, 1, 1),
    (1, 5, 8, 8, 7, 3, 2, 1, 1, 1),
    (1, 24, 10, 9, 24, 3, 1, 1, 1, 24),
    (1, 12, 9, 9, 12, 5, 2, 2, 1, 12),
    (1, 12, 6, 6, 30, 1, 1, 0, 1, 3),
    (2, 8, 13, 6, 16, 3, 1, 2, 2, 4),
    (1, 7, 5, 5, 14, 3, 1, 1, 1, 7),
    (1, 4, 3, 3, 1, 3, 1, 0, 1, 1),
]


@pytest.mark.parametrize(
    ("dtype", "case"), [("float32", s) for s in SHAPES] + [("int32", s) for s in SHAPES[3:7]]
)
def test_convolution(case: tuple[int, ...], dtype: str, check: Check, weight: Weight) -> None:
    n, c, h, w, m, k, stride, pad, dilation, groups = case

    def build(builder: relax.BlockBuilder, x: Any) -> Any:
        kernel = weight(1, (m, c // groups, k, k), dtype)
        y = builder.emit(relax.op.nn.conv2d(x, kernel, stride, pad, dilation, groups))
        y = builder.emit(relax.op.add(y, weight(2, (1, m, 1, 1), dtype)))
        return relax.op.nn.relu(y) if dtype == "float32" else y

    check(build, [((n, c, h, w), dtype)])


def test_convolutions_with_residual_and_pooling(check: Check, weight: Weight) -> None:
    def build(builder: relax.BlockBuilder, x: Any) -> Any:
        a = builder.emit(relax.op.nn.conv2d(x, weight(1, (20, 6, 3, 3)), 1, 1))
        b = builder.emit(relax.op.nn.conv2d(a, weight(2, (20, 20, 1, 1))))
        c = builder.emit(relax.op.nn.relu(builder.emit(relax.op.add(a, b))))
        d = builder.emit(relax.op.nn.max_pool2d(c, (3, 3), (2, 2), (1, 1, 1, 1)))
        e = builder.emit(relax.op.concat([d, builder.emit(relax.op.nn.relu(d))], axis=1))
        return relax.op.mean(builder.emit(relax.op.nn.conv2d(e, weight(3, (9, 40, 1, 1)))), [2, 3])

    scheduled = check(build, [((1, 6, 12, 10), "float32")])
    assert "(1, 12, 10, 20)" in scheduled["main"].script()  # channels last between the convolutions


def test_two_channel_orders_of_one_tensor(check: Check, weight: Weight) -> None:
    """The result of the graph keeps its order although convolutions read it."""

    def build(builder: relax.BlockBuilder, x: Any) -> Any:
        a = builder.emit(relax.op.nn.conv2d(x, weight(1, (8, 8, 1, 1))))
        b = builder.emit(relax.op.nn.conv2d(a, weight(2, (8, 8, 3, 3)), 1, 1))
        return builder.emit(relax.op.permute_dims(b, [0, 3, 1, 2]))

    check(build, [((2, 8, 6, 5), "float32")])


PRODUCTS = [
    ((5, 17), (17, 23)),
    ((1, 64), (64, 1000)),
    ((3, 4, 10), (10, 6)),
    ((9, 33), (33, 1)),
    ((2, 3), (3, 2)),
    ((1, 1), (1, 9)),
]


@pytest.mark.parametrize(("left", "right"), PRODUCTS, ids=str)
@pytest.mark.parametrize("constant", [True, False])
def test_product(
    left: tuple[int, ...], right: tuple[int, ...], constant: bool, check: Check, weight: Weight
) -> None:
    if constant:
        check(lambda b, x: relax.op.matmul(x, weight(1, right)), [(left, "float32")])
    else:
        check(lambda b, x, y: relax.op.matmul(x, y), [(left, "float32"), (right, "float32")])


def test_batched_products_of_activations(check: Check) -> None:
    """Scores and values of an attention: the lanes of the first right factor are apart."""

    def build(builder: relax.BlockBuilder, q: Any, k: Any, v: Any) -> Any:
        turned = builder.emit(relax.op.permute_dims(k, [0, 1, 3, 2]))
        scores = builder.emit(relax.op.nn.softmax(builder.emit(relax.op.matmul(q, turned))))
        return relax.op.matmul(scores, v)

    check(build, [((2, 3, 7, 8), "float32"), ((2, 3, 9, 8), "float32"), ((2, 3, 9, 12), "float32")])


@pytest.mark.parametrize(("left", "right"), [("int8", "int8"), ("uint8", "int8"), ("float32", "float32")])
def test_transposed_constant_with_wider_sums(left: str, right: str, check: Check) -> None:
    total = "int32" if left != "float32" else "float64"

    def dense(x: te.Tensor, w: te.Tensor) -> te.Tensor:
        k = te.reduce_axis((0, x.shape[1]), name="k")
        return te.compute(
            (x.shape[0], w.shape[0]),
            lambda i, j: te.sum(x[i, k].astype(total) * w[j, k].astype(total), axis=k),
            name="dense",
        )

    low = np.random.default_rng(1).integers(-100, 100, (21, 30)).astype(right)
    check(lambda b, x: b.emit_te(dense, x, relax.const(low)), [((6, 30), left)])


def test_dynamic_batch(check: Check, weight: Weight) -> None:
    batch = tirx.Var("batch", "int64")

    def build(builder: relax.BlockBuilder, x: Any) -> Any:
        y = builder.emit(relax.op.nn.conv2d(x, weight(1, (16, 4, 3, 3)), 1, 1))
        z = builder.emit(relax.op.mean(builder.emit(relax.op.nn.relu(y)), [2, 3]))
        return relax.op.matmul(z, weight(2, (16, 10)))

    check(build, [((batch, 4, 6, 7), "float32")], sizes={"batch": 3})


def test_dynamic_sum(check: Check) -> None:
    width = tirx.Var("width", "int64")
    check(
        lambda b, x, y: relax.op.matmul(x, y),
        [((4, width), "float32"), ((width, 6), "float32")],
        sizes={"width": 5},
    )


def test_epilogue_that_takes_part_of_the_result(check: Check, weight: Weight) -> None:
    """Reading one column, or mirrored, is not computed on the tile."""

    def part(x: te.Tensor, w: te.Tensor) -> te.Tensor:
        product = topi.matmul(x, w)
        return te.compute((5,), lambda i: product[i, 0] + product[i, 3], name="part")

    def mirrored(x: te.Tensor, w: te.Tensor) -> te.Tensor:
        product = topi.matmul(x, w)
        return te.compute((6, 6), lambda i, j: product[i, j] - product[j, i], name="mirrored")

    def diagonal(x: te.Tensor, w: te.Tensor) -> te.Tensor:
        product = topi.matmul(x, w)
        return te.compute((6,), lambda i: product[i, i] * 2, name="diagonal")

    check(lambda b, x: b.emit_te(part, x, weight(1, (8, 6))), [((7, 8), "float32")])
    check(lambda b, x: b.emit_te(mirrored, x, weight(1, (8, 6))), [((6, 8), "float32")])
    check(lambda b, x: b.emit_te(diagonal, x, weight(1, (8, 6))), [((6, 8), "float32")])


@pytest.mark.parametrize(("outputs", "groups"), [(6, 2), (2, 2), (9, 1)])
def test_a_guarded_factor_is_packed_with_its_guard(
    outputs: int, groups: int, check: Check, fused: Callable[..., Any], target: Any
) -> None:
    """Transposed convolutions whose weights are no constants: padding is read nowhere, packed or not."""
    from edgekit.lowering.tvm.kernels.products import conv_transpose
    from edgekit.lowering.tvm.schedule.cpu import Cpu
    from edgekit.lowering.tvm.schedule.function import schedule_program
    from edgekit.lowering.tvm.schedule.graph import arranged_programs

    attrs = {"strides": [1, 2], "pads": [1, 0, 1, 1], "dilations": [1, 1], "groups": groups, "extra": [0, 0]}

    def build(builder: relax.BlockBuilder, x: Any, w: Any) -> Any:
        return builder.emit_te(lambda a, b: conv_transpose(a, b, **attrs), x, w)

    inputs = [((1, 2, 5, 4), "float32"), ((2, outputs // groups, 3, 3), "float32")]
    check(build, inputs)
    for program, constants, _ in arranged_programs(fused(build, inputs)).values():
        result = schedule_program(program, constants, Cpu.of(target))
        assert not any("left open" in why for _, why in result.declined)


CODES = [  # channels, outputs, kernel, groups; summed by twos if the channels of a group are even
    ((8, 24, 3, 1), True),
    ((6, 13, 1, 1), True),
    ((12, 20, 3, 2), True),
    ((3, 16, 3, 1), False),
    ((10, 10, 3, 10), False),
]


@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3", None])
@pytest.mark.parametrize(("case", "paired"), CODES)
def test_sums_of_int16(
    case: tuple[int, ...], paired: bool, cpu: str | None, fused: Any, weight: Weight, target: Any
) -> None:
    from edgekit.lowering.tvm.features import runs_here
    from edgekit.lowering.tvm.kernels.products import conv
    from edgekit.lowering.tvm.schedule import schedule

    wanted = target if cpu is None else tvm.target.Target({"kind": "llvm", "mcpu": cpu})
    if not runs_here(wanted):
        pytest.skip("this machine does not run the code")
    channels, outputs, size, groups = case

    def build(builder: relax.BlockBuilder, x: Any) -> Any:
        w = weight(1, (outputs, channels // groups, size, size), "int16")
        attrs = {"strides": [1, 1], "pads": [1, 1, 0, 1], "dilations": [1, 1], "groups": groups}
        y = builder.emit_te(lambda a, b: conv(a, b, **attrs, wide="int32"), x, w)
        return builder.emit(relax.op.add(y, weight(2, (1, outputs, 1, 1), "int32")))

    mod = fused(build, [((2, channels, 7, 9), "int16")])
    scheduled = schedule(mod, wanted)
    by_twos = "pmadd" in scheduled.script()
    assert by_twos == (paired and bool(Cpu.of(wanted).pair_lanes))
    values = [np.random.default_rng(0).integers(-255, 256, (2, channels, 7, 9)).astype(np.int16)]
    np.testing.assert_array_equal(run(scheduled, values, wanted), run(mod, values, wanted))


def test_sums_of_int16_by_avx512_compile(fused: Any, weight: Weight) -> None:
    from edgekit.lowering.tvm.kernels.products import matmul
    from edgekit.lowering.tvm.schedule import schedule

    wide = tvm.target.Target({"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "x86-64-v4"})
    mod = fused(
        lambda b, x: b.emit_te(lambda a, w: matmul(a, w, wide="int32"), x, weight(1, (16, 64), "int16")),
        [((5, 16), "int16")],
    )
    scheduled = schedule(mod, wide)
    assert "pmaddw.d.512" in scheduled.script()
    with wide:
        assert tvm.compile(scheduled, target=wide)


def test_packing_by_twos() -> None:
    source = np.arange(2 * 4 * 6).reshape(2, 4, 6)
    plan = Pack((), (2, 4), 6, 3, ((0, (1, 0, 0)), (0, (0, 1, 0)), (0, (0, 0, 1))), paired=True)
    packed = plan.apply(source)
    assert packed.shape == plan.shape == (2, 2, 2, 6)
    for block, a, pair, lane in np.ndindex(2, 2, 2, 3):
        for second in range(2):
            value = packed[block, a, pair, 2 * lane + second]
            assert value == source[a, 2 * pair + second, 3 * block + lane]
