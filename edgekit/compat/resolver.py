"""What TFLM must be told to link: the kernels of the ops that it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_WORDS = {"2D": "2D", "LSTM": "LSTM"}
_IRREGULAR = {"BATCH_MATMUL": "BatchMatMul", "CUMSUM": "CumSum"}
_CUSTOM: Mapping[str, str] = {
    "CUSTOM:ethos-u": "EthosU",
    "CUSTOM:TFLite_Detection_PostProcess": "DetectionPostprocess",
    "CUSTOM:CIRCULAR_BUFFER": "CircularBuffer",
}
_NAMES = (
    "ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND "
    "BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D "
    "DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL "
    "FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF "
    "L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR "
    "LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 "
    "PRELU QUANTIZE READ_VARIABLE REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR "
    "RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND "
    "SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH "
    "TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE"
)
KERNELS = frozenset(_NAMES.split())
"""Builtin ops that TFLM has a kernel for: `tensorflow/lite/micro/micro_mutable_op_resolver.h`, 2026-08."""


def method(op: str) -> str | None:
    """Returns the resolver's method that adds the kernel of a TFLite op, `None` where TFLM has none."""
    if op in _CUSTOM:
        return f"Add{_CUSTOM[op]}"
    if op not in KERNELS:
        return None
    return f"Add{_IRREGULAR.get(op) or _camel(op)}"


def _camel(op: str) -> str:
    spelled = op.replace("PADV2", "PAD_V2")
    return "".join(_WORDS.get(word, word.capitalize()) for word in spelled.split("_"))


def resolver(ops: Iterable[str], *, ethos_u: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the methods to call for the ops that TFLM runs, and the ops that it has no kernel for.

    Args:
        ops: Names of TFLite ops that are left to TFLM.
        ethos_u: Whether parts of the model run on an Ethos-U.
    """
    names = sorted(set(ops))
    methods = [m for op in names if (m := method(op)) is not None]
    if ethos_u:
        methods.append("AddEthosU")
    return tuple(sorted(methods)), tuple(op for op in names if method(op) is None)
