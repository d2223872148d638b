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
image = tf.keras.Input(batch_shape=(1, *model.input_shape[1:]))  # a fixed batch, as in the ONNX file
payload = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(image, model(image))).convert()
Path(sys.argv[2]).write_bytes(payload)

from peak import peak_mb  # noqa: E402

print(imported - start, time.perf_counter() - imported, peak_mb())
