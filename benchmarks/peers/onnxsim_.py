"""ONNX to TFLite with onnxsim's exporter."""

import sys
import time

start = time.perf_counter()
import onnx  # noqa: E402
import onnxsim  # noqa: E402

imported = time.perf_counter()
onnxsim.export_tflite(onnx.load(sys.argv[1]), sys.argv[2])

from peak import peak_mb  # noqa: E402

print(imported - start, time.perf_counter() - imported, peak_mb())
