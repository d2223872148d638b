"""The source model in float64: where two float32 runtimes differ, it says how far each is off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = NDArray[Any]


def run(proto: onnx.ModelProto, samples: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """Evaluates a float32 model on float32 inputs with all arithmetic in float64, outputs by name."""
    wide = onnx.ModelProto()
    wide.CopyFrom(proto)
    _widen(wide.graph)
    evaluator = ReferenceEvaluator(wide)
    names = [output.name for output in wide.graph.output]
    results = []
    for sample in samples:
        inputs = {name: np.asarray(array, np.float64) for name, array in sample.items()}
        results.append(dict(zip(names, evaluator.run(None, inputs), strict=True)))
    return results


def _widen(graph: onnx.GraphProto) -> None:
    """Turns every float32 of a graph into float64, in place."""
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                _widen(attribute.g)
            elif attribute.type == AttributeProto.TENSOR:
                _widen_tensor(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        values = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
