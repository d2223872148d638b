"""ONNX to TFLite with edgekit, verification off."""

import sys
import time

start = time.perf_counter()
from pathlib import Path  # noqa: E402

import onnx  # noqa: E402, F401

from edgekit import api, importers  # noqa: E402
from edgekit.lowering.tflite import backend  # noqa: E402, F401
from edgekit.lowering.tflite.layout.network import load_lemmas  # noqa: E402
from edgekit.lowering.tflite.table import load_ops  # noqa: E402
from edgekit.tflite.schema import tflite_schema  # noqa: E402

# Modules that are otherwise loaded on first use count as imports, as they do for the peers.
for load in (importers.load_importers, load_ops, load_lemmas, tflite_schema):
    load()

imported = time.perf_counter()
artifact = api.convert(sys.argv[1], "tflite", verify=False)
Path(sys.argv[2]).write_bytes(artifact.model_file.read())

from peak import peak_mb  # noqa: E402

print(imported - start, time.perf_counter() - imported, peak_mb())
