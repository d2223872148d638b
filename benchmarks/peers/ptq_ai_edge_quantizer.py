"""A float `.tflite` to int8 with ai-edge-quantizer."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe

source, samples, target = sys.argv[1:4]
held = np.load(samples)["x"]
signatures = Interpreter(model_path=source).get_signature_list()
(key, ports), *_ = signatures.items()
(name,) = ports["inputs"]
tool = quantizer.Quantizer(source, recipe.static_wi8_ai8())
found = tool.calibrate({key: [{name: sample[None]} for sample in held]}, num_threads=1)
tool.quantize(found).export_model(target, overwrite=True)
