"""PyTorch to Core ML with edgekit, verification off."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
start = time.perf_counter()
import torch  # noqa: E402, F401
import torch_networks  # noqa: E402

from edgekit import api  # noqa: E402
from edgekit.lowering.coreml import backend  # noqa: E402, F401

module, inputs = torch_networks.make(sys.argv[1])
imported = time.perf_counter()
artifact = api.convert((module, inputs), "coreml", verify=False)
artifact.save(sys.argv[2])

from peak import peak_mb  # noqa: E402

print(imported - start, time.perf_counter() - imported, peak_mb())
