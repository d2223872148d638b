"""Activations that are quantised when the model runs: as integer ops of ONNX, and as what runtimes compute.

The range of an activation is that of the tensor at hand, zero included; it gets 256 codes. ONNX's
DynamicQuantizeLinear takes the range of the whole tensor. TFLite's hybrid kernels take one for each image
of a convolution and for each row of a matrix, which is finer; XNNPACK computes a convolution of single
pixels as a matrix, with a range for each pixel.

Source: ONNX operator DynamicQuantizeLinear; for TFLite measured with LiteRT 2.3, whose plain and XNNPACK
kernels agree to float precision but for single pixels, if `asymmetric_quantize_inputs` is set.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute, constant, operand, rank_of, static_shape
from edgekit.quantize.roles import Role, Roles

_LOWEST, _CODES = -128.0, 255.0


def dynamic_nodes(graph: ir.Graph, roles: Roles) -> frozenset[str]:
    """Returns the names of the nodes whose activations can be quantised at run time.

    Convolutions over three axes and transposed ones have no such kernel anywhere: only their weights are
    integers.
    """
    return frozenset(
        node.name for node in graph if node.name and roles.role(node) is Role.WEIGHTED and _is_dynamic(node)
    )


def _is_dynamic(node: ir.Node) -> bool:
    if node.op_type == "Conv":
        return rank_of(operand(node, 0)) in (3, 4)
    return node.op_type in ("MatMul", "Gemm") and not attribute(node, "transA", 0)


def simulate(model: ir.Model, names: frozenset[str], *, per_row: bool) -> None:
    """Puts in front of each node the rounding of its activations, in float arithmetic.

    Args:
        model: A model whose weights are dequantised; changed in place.
        names: Of `dynamic_nodes`.
        per_row: Whether every image or row has a range of its own; else the tensor has one.
    """
    for node in tuple(model.graph):
        x = operand(node, 0)
        if node.name not in names or x is None:
            continue
        rounded = _rounded(Maker(node), x, _axes(node, x) if per_row else None)
        rounded.type, rounded.shape = x.type, x.shape
        node.replace_input_with(0, rounded)


def _axes(node: ir.Node, x: ir.Value) -> list[int]:
    """Returns the axes that share a range in TFLite's kernels."""
    rank = rank_of(x)
    assert rank is not None
    if node.op_type != "Conv":
        return [rank - 1]
    return [1] if _is_of_pixels(node) else list(range(1, rank))


def _is_of_pixels(node: ir.Node) -> bool:
    sizes = static_shape(node.inputs[1]) or ()
    steps = (*sizes[2:], *attribute(node, "strides", ()), attribute(node, "group", 1))
    return all(step == 1 for step in steps) and not any(attribute(node, "pads", ()))


def _rounded(make: Maker, x: ir.Value, axes: list[int] | None) -> ir.Value:
    """Rounds to 256 codes over the range along axes; `None` takes the whole tensor.

    Written in float ops, so that roundings can be drawn anew: one that falls on the other side moves a value
    by a step of its range.
    """
    along = None if axes is None else make.ints(axes)
    zero, codes = make.const(np.float32(0)), make.const(np.float32(_CODES))
    low = make.op("Min", make.op("ReduceMin", x, along, keepdims=1), zero)
    high = make.op("Max", make.op("ReduceMax", x, along, keepdims=1), zero)
    width = make.op("Sub", high, low)
    # What is zero throughout has the scale 1: all its codes are that of zero.
    is_flat = make.op("Equal", width, zero)
    scale = make.op("Where", is_flat, make.const(np.float32(1)), make.op("Div", width, codes))
    lowest, highest = make.const(np.float32(_LOWEST)), make.const(np.float32(_LOWEST + _CODES))
    offset = make.op("Round", make.op("Sub", lowest, make.op("Div", low, scale)))
    whole = make.op("Add", make.op("Round", make.op("Div", x, scale)), offset)
    return make.op("Mul", make.op("Sub", make.op("Clip", whole, lowest, highest), offset), scale)


def integer_ops(model: ir.Model, names: frozenset[str]) -> None:
    """Writes nodes as DynamicQuantizeLinear, MatMulInteger or ConvInteger, and a product of both scales.

    Weights become uint8 with the zero point 128: ONNX Runtime's kernel for uint8 and int8 saturates sums of
    two products at 16 bits on CPUs without VNNI.

    Args:
        model: A model whose weights are dequantised; changed in place.
        names: Of `dynamic_nodes`.
    """
    for node in tuple(model.graph):
        if node.name not in names:
            continue
        make, held = Maker(node), node.inputs[1]
        stored = None if held is None else held.producer()
        assert stored is not None
        codes, scales = (constant(v) for v in stored.inputs[:2])
        assert codes is not None
        assert scales is not None
        x, x_scale, x_zero = make.ops("DynamicQuantizeLinear", node.inputs[0], outputs=3)
        shifted = _oriented(node, (codes.astype(np.int16) + 128).astype(np.uint8))
        w, w_zero = make.const(shifted), make.const(np.uint8(128))
        kind = "ConvInteger" if node.op_type == "Conv" else "MatMulInteger"
        sums = make.op(kind, x, w, x_zero, w_zero, **_attributes(node))
        real = make.op("Cast", sums, to=int(ir.DataType.FLOAT))
        # One element per output channel, which Conv has on its second axis.
        shape = [-1] + [1] * (codes.ndim - 2) if kind == "ConvInteger" else [-1]
        both = make.op("Mul", x_scale, make.const(scales.reshape(shape)))
        result, bias = make.op("Mul", real, both), constant(operand(node, 2))
        if bias is not None:
            result = make.op(
                "Add", result, make.const(bias.reshape(shape) if kind == "ConvInteger" else bias)
            )
        make.replace(result)


def _oriented(
    node: ir.Node, codes: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return codes.T if node.op_type == "Gemm" and attribute(node, "transB", 0) else codes


def _attributes(node: ir.Node) -> dict[str, object]:
    return {name: attribute(node, name) for name in node.attributes} if node.op_type == "Conv" else {}
