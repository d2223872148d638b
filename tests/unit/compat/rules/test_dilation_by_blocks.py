"""A dilated convolution that arrives as blocks moved to the batch and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.compat import judge, target
from edgekit.compat.finding import Placement
from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph, Value

TAKEN, CPU = Placement.ACCELERATED, Placement.FALLBACK


def tensor(*shape: int) -> Value:
    return Value(np.dtype(np.int8), shape, None, Quant((0.05,), (3,)))


def constant(values: Any, dtype: str = "int32", quant: Quant | None = None) -> Value:
    data = np.asarray(values, dtype)
    return Value(data.dtype, data.shape, data, quant)


def placements(**changed: Any) -> list[Placement]:
    x, blocks, conv, y = tensor(1, 16, 16, 4), tensor(4, 10, 10, 4), tensor(4, 8, 8, 8), tensor(1, 16, 16, 8)
    weights = constant(np.ones((8, 3, 3, 4)), "int8", Quant((0.01,), (0,)))
    steps = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    attrs = {"padding": "VALID", "fused_activation_function": "NONE", **steps}
    attrs |= {k: v for k, v in changed.items() if k in attrs}
    block = constant([2, 2])
    ops = [
        Emitted("SPACE_TO_BATCH_ND", (x, block, constant([[2, 2], [2, 2]])), (blocks,)),
        Emitted("CONV_2D", (blocks, weights, constant([0] * 8)), (conv,), attrs),
        Emitted("BATCH_TO_SPACE_ND", (conv, block, constant([[0, 0], [0, 0]])), (y,)),
    ]
    if changed.get("read_twice"):
        ops.append(Emitted("RELU", (conv,), (tensor(4, 8, 8, 8),)))
    main = Subgraph("main", (x,), (y,), tuple(ops), {})
    return [op.placement for op in judge(Lowered("tflite", main, (), ()), target("ethos-u55-128")).ops]


def test_the_three_are_one_op() -> None:
    assert placements() == [TAKEN, TAKEN, TAKEN]


@pytest.mark.parametrize(
    "changed", [{"stride_h": 2}, {"fused_activation_function": "RELU"}, {"read_twice": True}]
)
def test_what_they_are_not(changed: dict[str, Any]) -> None:
    assert placements(**changed)[:3] == [CPU, TAKEN, CPU]


def test_alone_it_stays_on_the_cpu() -> None:
    op = Emitted("SPACE_TO_BATCH_ND", (tensor(1, 4, 4, 4), constant([2, 2]), constant([[0, 0]] * 2)),
                 (tensor(4, 2, 2, 4),))  # fmt: skip
    lowered = Lowered("tflite", Subgraph("main", (), (), (op,), {}), (), ())
    assert [o.placement for o in judge(lowered, target("ethos-u85-256")).ops] == [CPU]
