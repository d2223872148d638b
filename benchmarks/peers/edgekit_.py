"""ONNX to TFLite with edgekit, verification off."""

import sys
import time

start = time.perf_counter()
from pathlib import Path  # noqa: E402

import onnx  # noqa: E402, F401

from edgekit import api  # noqa: E402
from edgekit.lowering.tflite import backend  # noqa: E402, F401

imported = time.perf_counter()
artifact = api.convert(sys.argv[1], "tflite", verify=False)
Path(sys.argv[2]).write_bytes(artifact.model_file.read())
print(imported - start, time.perf_counter() - imported)
