"""From a trained Keras network to `model.keras` and `model.onnx`."""

from __future__ import annotations

from pathlib import Path

import keras
import onnx
import tensorflow as tf
import tf2onnx

from .spec import Recipe

OPSET = 17


def export(net: keras.Model, recipe: Recipe, folder: Path) -> None:
    """Write Keras's own file and the ONNX form of the network.

    `keras.Model.export` to ONNX always leaves the batch symbolic and renames the outputs, so
    the conversion starts from a function that has the recipe's shapes and names.
    """
    net.save(folder / "model.keras")
    onnx.save(_converted(net, recipe), folder / "model.onnx")


def _converted(net: keras.Model, recipe: Recipe) -> onnx.ModelProto:
    batch = recipe.input.batch
    shape = [None if isinstance(batch, str) else batch, *recipe.input.shape[1:]]
    signature = [tf.TensorSpec(shape, tf.float32, name=recipe.input.name)]

    @tf.function(input_signature=signature)
    def forward(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {recipe.outputs[0].name: net(x, training=False)}

    model, _ = tf2onnx.convert.from_function(forward, input_signature=signature, opset=OPSET)
    if isinstance(batch, str):
        _name_batch(model.graph, batch)
    return model


def _name_batch(graph: onnx.GraphProto, name: str) -> None:
    """Give the symbolic leading dimension of inputs and outputs one name for them all.

    Inner shapes are dropped: they carry generated symbols, and shape inference finds them.
    """
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = name
