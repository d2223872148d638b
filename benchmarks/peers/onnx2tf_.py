"""ONNX to TFLite with onnx2tf."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

start = time.perf_counter()
import onnx2tf  # noqa: E402

imported = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    copy = Path(folder) / "model.onnx"  # it writes its simplified model over the file that it is given
    shutil.copyfile(sys.argv[1], copy)
    onnx2tf.convert(
        input_onnx_file_path=str(copy), output_folder_path=folder, non_verbose=True,
        copy_onnx_input_output_names_to_tflite=True,
    )  # fmt: skip
    done = time.perf_counter()
    shutil.copy(next(Path(folder).glob("*_float32.tflite")), sys.argv[2])

from peak import peak_mb  # noqa: E402

print(imported - start, done - imported, peak_mb())
