"""A Keras model or SavedModel to int8 `.tflite` with TensorFlow's own quantisation after training."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

source, samples, target = sys.argv[1:4]
held = np.load(samples)["x"]


def representative() -> Iterator[list[np.ndarray]]:
    """Gives the calibration samples one by one."""
    for sample in held:
        yield [sample[None]]


if Path(source).is_dir():
    model = tf.saved_model.load(source)
    function = model.signatures["serving_default"]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
else:
    if source.endswith(".keras"):
        net = tf.keras.models.load_model(source, compile=False)
        fixed = tf.keras.Input(batch_shape=(1, *held.shape[1:]))
        net = tf.keras.Model(fixed, net(fixed))
    else:  # a file of Keras 2
        import tf_keras

        net = tf_keras.models.load_model(source, compile=False)
        fixed = tf_keras.Input(batch_shape=(1, *held.shape[1:]))
        net = tf_keras.Model(fixed, net(fixed, training=False))
    function = tf.function(lambda x: net(x, training=False)).get_concrete_function(
        tf.TensorSpec((1, *held.shape[1:]), tf.float32)
    )
    frozen = convert_variables_to_constants_v2(function)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = representative
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
Path(target).write_bytes(converter.convert())
