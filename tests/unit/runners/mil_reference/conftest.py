from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.runners.mil_reference.proto import parse_model

TAPS = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
WEIGHT = np.stack([TAPS, TAPS.T, np.ones((3, 3), np.float32), -TAPS])[:, None] * np.float32(0.5)
BIAS = np.array([0.25, -0.5, 0.75, 0], np.float32)
DENSE = np.arange(24, dtype=np.float32).reshape(3, 8) % 7 / 8 - 0.25
IMAGE = (np.arange(36, dtype=np.float32).reshape(1, 1, 6, 6) % 7 - 3) / 2


@pytest.fixture(scope="session")
def ct() -> Any:
    """Gives coremltools, imported without TensorFlow and PyTorch, which it would import too (8 s)."""
    hidden = {name: sys.modules.get(name) for name in ("torch", "tensorflow")}
    try:
        for name in hidden:
            sys.modules[name] = None  # type: ignore[assignment]
        tools = pytest.importorskip("coremltools", reason="needs the coreml extra")
    finally:
        for name, module in hidden.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return tools


@pytest.fixture(scope="session")
def save(ct: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives a function that saves what a builder makes: `save(build, shapes, ios=16, half=False)`."""
    from coremltools.converters.mil import Builder as mb

    def write(
        build: Callable[..., Any],
        shapes: dict[str, Any],
        *,
        ios: int = 16,
        half: bool = False,
        dtypes: dict[str, Any] | None = None,
        **options: Any,
    ) -> Path:
        from coremltools.converters.mil.mil import types

        dtypes = dtypes or {}
        specs = [mb.TensorSpec(shape=s, dtype=dtypes.get(n, types.fp32)) for n, s in shapes.items()]
        # The builder takes the names of the inputs from the parameters of the function.
        target = getattr(ct.target, f"iOS{ios}")
        program = mb.program(input_specs=specs, opset_version=target)(build)
        model = ct.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            minimum_deployment_target=target,
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            skip_model_load=True,
            **options,
        )
        path = tmp_path_factory.mktemp("package") / "model.mlpackage"
        model.save(str(path))
        return path

    return write


@pytest.fixture(scope="session")
def cnn(save: Callable[..., Path]) -> Path:
    """Gives a small network: conv, relu, max pool, reshape, linear, softmax."""
    return save(_cnn, {"x": (1, 1, 6, 6)})


@pytest.fixture(scope="session")
def half_cnn(save: Callable[..., Path]) -> Path:
    """Gives the same network in float16."""
    return save(_cnn, {"x": (1, 1, 6, 6)}, half=True)


def _cnn(x: Any) -> Any:
    from coremltools.converters.mil import Builder as mb

    y = mb.conv(
        x=x, weight=WEIGHT, bias=BIAS, strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], name="conv"
    )
    y = mb.relu(x=y, name="relu")
    y = mb.max_pool(
        x=y, kernel_sizes=[2, 2], strides=[2, 2], pad_type="custom", pad=[0, 1, 1, 0], name="pool"
    )
    y = mb.reduce_mean(x=y, axes=[3], keep_dims=False, name="mean")
    y = mb.reshape(x=y, shape=[1, 8], name="flat")
    y = mb.linear(x=y, weight=DENSE, name="dense")
    return mb.softmax(x=y, axis=-1, name="probabilities")


def edited(path: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    """Copies a package and changes its specification."""
    copy = shutil.copytree(path, folder / "edited.mlpackage")
    model = copy / "Data/com.apple.CoreML/model.mlmodel"
    message = parse_model(model.read_bytes())
    change(message)
    model.write_bytes(message.SerializeToString())
    return copy


def by_loops(x: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the values of the network element by element."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    conv = np.zeros((1, 4, 3, 3))
    for m in range(4):
        for i in range(3):
            for j in range(3):
                conv[0, m, i, j] = BIAS[m]
                for a in range(3):
                    for b in range(3):
                        conv[0, m, i, j] += padded[0, 0, 2 * i + a, 2 * j + b] * WEIGHT[m, 0, a, b]
    relu = np.maximum(conv, 0)
    pool = np.zeros((1, 4, 2, 2))
    for m in range(4):
        for i in range(2):
            for j in range(2):
                rows = [r for r in (2 * i, 2 * i + 1) if r < 3]
                columns = [c for c in (2 * j - 1, 2 * j) if 0 <= c < 3]
                pool[0, m, i, j] = max(relu[0, m, r, c] for r in rows for c in columns)
    flat = ((pool[..., 0] + pool[..., 1]) / 2).reshape(8)
    dense = np.array([sum(flat[k] * DENSE[n, k] for k in range(8)) for n in range(3)])
    powers = np.exp(dense - dense.max())
    return {
        "conv": conv,
        "relu": relu,
        "pool": pool,
        "dense": dense[None],
        "probabilities": powers[None] / powers.sum(),
    }
