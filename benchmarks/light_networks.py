"""The small-file networks of the onnx wheel, their constant weights replaced by seeded random ones."""

from __future__ import annotations

from pathlib import Path

LIGHT = ("SqueezeNet", "ShuffleNet")


def ensure_light(name: str, folder: Path) -> Path:
    """Returns the `.onnx` file of a network, making it on the first call."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_bytes(_made(name))
        partial.rename(path)
    return path


def _made(name: str) -> bytes:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    model = onnx.load(folder / f"light_{name.lower()}.onnx")
    graph, rng = model.graph, np.random.default_rng(7)
    sizes = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    uses = {name: (node.op_type, k) for node in graph.node for k, name in enumerate(node.input)}
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape" or node.input[0] not in sizes:
            kept.append(node)
            continue
        shape = [int(d) for d in sizes[node.input[0]]]
        if uses[node.output[0]] in (("BatchNormalization", 1), ("BatchNormalization", 4)):
            values = rng.uniform(0.5, 1.5, shape)  # scale and variance
        else:
            spread = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
            values = rng.normal(0, spread, shape)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    constants = {i.name for i in graph.initializer}
    inputs = [i for i in graph.input if i.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 8)  # below, every initializer must be an input
    return bytes(model.SerializeToString())
