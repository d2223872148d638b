"""Names of TFLM's resolver methods, as its header spells them."""

from __future__ import annotations

import pytest

from edgekit.compat.resolver import KERNELS, method, resolver


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("CONV_2D", "AddConv2D"),
        ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"),
        ("FULLY_CONNECTED", "AddFullyConnected"),
        ("BATCH_MATMUL", "AddBatchMatMul"),
        ("CUMSUM", "AddCumSum"),
        ("PADV2", "AddPadV2"),
        ("SPLIT_V", "AddSplitV"),
        ("SELECT_V2", "AddSelectV2"),
        ("RELU6", "AddRelu6"),
        ("L2_POOL_2D", "AddL2Pool2D"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
        ("RESIZE_NEAREST_NEIGHBOR", "AddResizeNearestNeighbor"),
        ("CUSTOM:TFLite_Detection_PostProcess", "AddDetectionPostprocess"),
        ("NON_MAX_SUPPRESSION_V4", None),
        ("CUSTOM:Mine", None),
    ],
)
def test_methods(op: str, expected: str | None) -> None:
    assert method(op) == expected


def test_every_kernel_has_a_method_of_its_own() -> None:
    assert len({method(op) for op in KERNELS}) == len(KERNELS)


def test_a_resolver_lists_each_kernel_once_and_what_is_missing() -> None:
    methods, missing = resolver(["CONV_2D", "ADD", "CONV_2D", "TOPK_V2"], ethos_u=True)
    assert methods == ("AddAdd", "AddConv2D", "AddEthosU")
    assert missing == ("TOPK_V2",)
