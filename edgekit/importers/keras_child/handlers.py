"""TensorFlow ops that tf2onnx does not know, or that it expresses in a way that can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from edgekit.importers.keras_child import rnn
from edgekit.importers.keras_child.one_op import AXIS, EPSILON

Handler = Callable[[Any, Any, str, Any], None]
"""Takes tf2onnx's graph, the node, its name, and arguments that are not used here."""


def handlers(recurrences: Sequence[rnn.Recurrence]) -> dict[str, Handler]:
    """Returns a handler per TensorFlow op.

    Args:
        recurrences: What the markers of recurrent layers in the graph stand for.
    """

    def recurrent(ctx: Any, node: Any, name: str, _: Any) -> None:
        rnn.to_onnx(ctx, node, name, recurrences[node.get_attr_int("seed")])

    return {
        "CudnnRNN": recurrent,
        "Erfc": _erfc,
        "Expm1": _expm1,
        "IdentityN": _identity_n,
        "Select": _select,
        "SelectV2": _select,
    }


def _erfc(ctx: Any, node: Any, name: str, _: Any) -> None:
    """Expresses `Erfc(x)` as `1 - Erf(x)`; Gelu needs it."""
    _with_one(ctx, node, name, "Erf", lambda one, y: [one, y])


def _expm1(ctx: Any, node: Any, name: str, _: Any) -> None:
    """Expresses `Expm1(x)` as `Exp(x) - 1`."""
    _with_one(ctx, node, name, "Exp", lambda one, y: [y, one])


def _with_one(ctx: Any, node: Any, name: str, op: str, operands: Callable[[str, str], list[str]]) -> None:
    """Replaces a node by a difference between 1 and another function of its input."""
    dtype, shape, output = ctx.get_dtype(node.output[0]), ctx.get_shape(node.output[0]), node.output[0]
    one = np.array(1, onnx.helper.tensor_dtype_to_np_dtype(dtype))
    one = ctx.make_const(f"{name}_one", one).output[0]
    x = node.input[0]
    ctx.remove_node(name)
    inner = ctx.make_node(op, [x], shapes=[shape], dtypes=[dtype], name=f"{name}_{op.lower()}").output[0]
    ctx.make_node("Sub", operands(one, inner), outputs=[output], shapes=[shape], dtypes=[dtype], name=name)


def _select(ctx: Any, node: Any, name: str, _: Any) -> None:
    """Expresses a selection as `Where`; tf2onnx prefers `c * x + (1 - c) * y`, where 0 * inf gives NaN."""
    from tf2onnx.onnx_opset.controlflow import Select

    node.set_attr("handles_nan", 1)
    Select.version_9(ctx, node)


def _identity_n(ctx: Any, node: Any, name: str, _: Any) -> None:
    """Expresses the marker of a LayerNormalization, or what `IdentityN` is by its name."""
    inputs, outputs = list(node.input), list(node.output)
    shapes, dtypes = node.output_shapes, node.output_dtypes
    axis, epsilon = node.get_attr(AXIS), node.get_attr(EPSILON)
    ctx.remove_node(name)
    if axis is None:
        for i, (source, output) in enumerate(zip(inputs, outputs, strict=True)):
            ctx.make_node(
                "Identity",
                [source],
                outputs=[output],
                shapes=[shapes[i]],
                dtypes=[dtypes[i]],
                name=f"{name}_{i}",
            )
        return
    ctx.make_node(
        "LayerNormalization",
        inputs,
        outputs=outputs[:1],
        shapes=shapes[:1],
        dtypes=dtypes[:1],
        attr={"axis": axis.i, "epsilon": epsilon.f},
        name=name,
    )
