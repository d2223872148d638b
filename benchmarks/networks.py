"""The networks of the benchmarks: keras.applications with seeded random weights, as Keras and ONNX."""

from __future__ import annotations

import os
from pathlib import Path

NETWORKS = ("MobileNetV2", "MobileNetV3Small", "ResNet50", "EfficientNetB0", "DenseNet121", "InceptionV3")


def ensure(name: str, folder: Path) -> tuple[Path, Path]:
    """Returns the `.keras` and `.onnx` files of a network, making them on the first call."""
    folder.mkdir(parents=True, exist_ok=True)
    keras_file, onnx_file = folder / f"{name}.keras", folder / f"{name}.onnx"
    if not (keras_file.exists() and onnx_file.exists()):
        _make(name, keras_file, onnx_file)
    return keras_file, onnx_file


def _make(name: str, keras_file: Path, onnx_file: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(7)
    size = 299 if name == "InceptionV3" else 224
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
    model.save(keras_file)
    signature = [tf.TensorSpec((1, size, size, 3), tf.float32, name="input")]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=17)
    partial = onnx_file.with_suffix(".partial")
    partial.write_bytes(proto.SerializeToString())
    partial.rename(onnx_file)
