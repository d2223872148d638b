"""PyTorch to Core ML with coremltools' own PyTorch front end."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
start = time.perf_counter()
import coremltools as ct  # noqa: E402
import torch  # noqa: E402
import torch_networks  # noqa: E402

module, inputs = torch_networks.make(sys.argv[1])
imported = time.perf_counter()
with torch.no_grad():
    traced = torch.jit.trace(module, inputs)
model = ct.convert(
    traced,
    inputs=[ct.TensorType(shape=tuple(inputs[0].shape))],
    minimum_deployment_target=ct.target.iOS18,
    skip_model_load=True,
)
model.save(f"{sys.argv[2]}/model.mlpackage")

from peak import peak_mb  # noqa: E402

print(imported - start, time.perf_counter() - imported, peak_mb())
