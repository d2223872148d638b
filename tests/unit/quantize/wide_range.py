"""A golden network with a depthwise layer whose channels have very different ranges; it computes the same.

After a ReLU stands a depthwise convolution that multiplies channel c by a factor of its own, far below 1 for
most; the next convolution divides by it. In float nothing changes. With one int8 scale for all channels the
small ones lose most of their codes. Forked, the next convolution is the sum of two, so that the channels have
two readers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from safetensors.numpy import load_file

FOLDER = Path(__file__).parents[3] / "golden" / "models" / "digits_cnn_torch"


def wide_network(octaves: float, *, forked: bool = False, after: str = "node_relu") -> onnx.ModelProto:
    """Returns the network, its factors from 2 ** -octaves to 1."""
    model = onnx.load(FOLDER / "model.onnx")
    graph = model.graph
    held = {i.name: i for i in graph.initializer}
    place = next(i for i, n in enumerate(graph.node) if n.name == after)
    value = graph.node[place].output[0]
    reader = next(n for n in graph.node if value in n.input)
    weights = numpy_helper.to_array(held[reader.input[1]])
    channels = weights.shape[1]
    factors = 2.0 ** -np.random.default_rng(0).permutation(np.linspace(0, octaves, channels))
    kernel = np.zeros((channels, 1, 3, 3), np.float32)
    kernel[:, 0, 1, 1] = factors
    graph.initializer.append(numpy_helper.from_array(kernel, "wide.weight"))
    depthwise = helper.make_node(
        "Conv", [value, "wide.weight"], ["wide"], name="wide", group=channels, pads=[1, 1, 1, 1]
    )
    graph.node.insert(place + 1, depthwise)
    reader.input[0] = "wide"
    divided = (weights / factors.reshape(1, -1, 1, 1)).astype(np.float32)
    held[reader.input[1]].CopyFrom(numpy_helper.from_array(divided, reader.input[1]))
    if forked:
        _fork(graph, reader, held[reader.input[1]], divided)
    return model


def _fork(graph, reader, held, weights) -> None:
    part = np.random.default_rng(1).uniform(0.3, 0.7, weights.shape).astype(np.float32) * weights
    held.CopyFrom(numpy_helper.from_array(weights - part, held.name))
    graph.initializer.append(numpy_helper.from_array(part, "part.weight"))
    attributes = {a.name: helper.get_attribute_value(a) for a in reader.attribute}
    whole, reader.output[0] = reader.output[0], "one"
    other = helper.make_node("Conv", ["wide", "part.weight"], ["other"], name="part", **attributes)
    place = next(i for i, n in enumerate(graph.node) if n.name == reader.name)
    graph.node.insert(place + 1, other)
    graph.node.insert(place + 2, helper.make_node("Add", ["one", "other"], [whole], name="join"))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Returns the golden images and their labels."""
    held = load_file(FOLDER / "samples.safetensors")
    return held["image"], held["labels"]
