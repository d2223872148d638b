"""The ops that an artifact really holds, read back from its file, with the source nodes behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgekit.artifact import Artifact
from edgekit.ir import Origin


@dataclass(frozen=True, slots=True)
class EmittedOp:
    """An op of an artifact.

    Attributes:
        op: The backend's name of the op.
        origin: The source nodes that it computes.
    """

    op: str
    origin: Origin


def emitted_ops(artifact: Artifact) -> Iterator[EmittedOp]:
    """Yields the ops of the artifact's main graph, in its order."""
    for op, outputs in _READERS[artifact.backend](artifact):
        origin = Origin()
        for name in outputs:
            origin = origin | artifact.origins.get(name, Origin())
        yield EmittedOp(op, origin)


_Ops = Iterator[tuple[str, list[str]]]


def _onnx(artifact: Artifact) -> _Ops:
    import onnx

    model = onnx.load_model_from_string(artifact.model_file.read())
    for node in model.graph.node:
        op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        yield op, list(node.output)


def _tflite(artifact: Artifact) -> _Ops:
    from edgekit.tflite.reader import read_tflite

    lowered = read_tflite(artifact.model_file.payload)
    for op in lowered.main.ops:
        yield op.op, [lowered.main.names[v] for v in op.outputs if v in lowered.main.names]


def _coreml(artifact: Artifact) -> _Ops:
    from edgekit.lowering.coreml.reader import program_ops

    yield from program_ops(artifact.model_file.read())


def _tvm(artifact: Artifact) -> _Ops:
    """A library holds machine code: what is known are the kernels that it was compiled from."""
    for key in sorted(artifact.origins):
        yield key.partition(" ")[2], [key]


_READERS: dict[str, Callable[[Artifact], _Ops]] = {
    "coreml": _coreml,
    "onnx": _onnx,
    "tflite": _tflite,
    "tvm": _tvm,
}
