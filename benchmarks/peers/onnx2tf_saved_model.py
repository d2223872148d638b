"""ONNX to a SavedModel with onnx2tf: what TensorFlow's converter and quantiser start from."""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx2tf
from onnx2tf.utils import common_functions


def images() -> np.ndarray:
    """Stands for the photographs that it would download to compare layouts with."""
    return np.random.default_rng(0).random((20, 128, 128, 3), np.float32)


for module in (common_functions, onnx2tf.onnx2tf):
    module.download_test_image_data = images
copy = (
    Path(tempfile.mkdtemp()) / "model.onnx"
)  # it writes its simplified model over the file that it is given
shutil.copyfile(sys.argv[1], copy)
onnx2tf.convert(
    input_onnx_file_path=str(copy), output_folder_path=sys.argv[2], output_signaturedefs=True,
    non_verbose=True, **({"batch_size": 1} if "fixed" in sys.argv[3:] else {}),
)  # fmt: skip
