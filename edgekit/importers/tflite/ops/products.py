"""Matrix products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import Untranslatable, translates


@translates("FULLY_CONNECTED")
def fully_connected(call: Call) -> ir.Value:
    """FULLY_CONNECTED -> Gemm of rows; with `keep_num_dims` the leading axes come back afterwards."""
    if call.rank(1) != 2 or None in call.shape(1):
        raise Untranslatable("its weights are not a matrix of known size")
    units, depth = call.shape(1)
    weights = _weights(call)
    x, is_flat = call.operand(0), call.rank(0) == 2 and call.shape(0)[1] == depth
    if not is_flat:
        x = call.op("Reshape", x, call.ints([-1, depth]))
    bias = call.operand(2) if call.has(2) else None
    y = call.activated(call.op("Gemm", x, weights, bias, transB=1))
    if is_flat or not call.attr("keep_num_dims", False):
        return y
    return call.op("Reshape", y, _kept_sizes(call, units))


def _kept_sizes(call: Call, units: int | None) -> ir.Value:
    lead = call.shape(0)[:-1]
    if sum(d is None for d in lead) > 1:
        raise Untranslatable("several of its leading sizes are known only at run time")
    return call.ints([-1 if d is None else d for d in (*lead, units)])


def _weights(call: Call) -> ir.Value:
    layout = call.attr("weights_format", 0)
    if layout == 0:
        return call.weights(1, (0, 1))
    data = call.const(1)
    if layout != 1 or data is None or data.dtype != np.uint8:
        raise Untranslatable(f"its weights are in the format {layout}")
    return call.held(replace(call.tensor(1), data=unshuffled(data)))


def unshuffled(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns weights of the format SHUFFLED4x16INT8 in their plain order.

    There each block of 4 rows and 16 columns is contiguous, and the top bit of every element is flipped.

    Args:
        data: Units by depth, multiples of 4 and 16.

    Raises:
        Untranslatable: If the sizes are no such multiples.
    """
    units, depth = data.shape
    if units % 4 or depth % 16:
        raise Untranslatable("shuffled weights that do not consist of blocks of 4 by 16")
    blocks = (data ^ np.uint8(0x80)).reshape(units // 4, depth // 16, 4, 16)
    return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3).reshape(units, depth))


@translates("BATCH_MATMUL")
def batch_matmul(call: Call) -> ir.Value:
    """BATCH_MATMUL -> MatMul, operands transposed as the options say."""
    x, y = (
        _adjoint(call, index, bool(call.attr(name, False))) for index, name in ((0, "adj_x"), (1, "adj_y"))
    )
    return call.op("MatMul", x, y)


def _adjoint(call: Call, index: int, is_transposed: bool) -> ir.Value:
    if not is_transposed:
        return call.operand(index)
    rank = call.rank(index)
    if rank < 2:
        raise Untranslatable(f"its operand {index} is no matrix")
    return call.weights(index, (*range(rank - 2), rank - 1, rank - 2))
