"""Keras to TFLite with TensorFlow's converter (it does not read ONNX)."""

import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
start = time.perf_counter()
import tensorflow as tf  # noqa: E402

imported = time.perf_counter()
model = tf.keras.models.load_model(Path(sys.argv[1]).with_suffix(".keras"), compile=False)
signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
function = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
payload = tf.lite.TFLiteConverter.from_concrete_functions([function], model).convert()
Path(sys.argv[2]).write_bytes(payload)
print(imported - start, time.perf_counter() - imported)
