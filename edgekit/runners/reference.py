"""Runs ONNX models with the reference evaluator of the `onnx` package: slow, and a second opinion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.diagnostics import EdgekitError, error
from edgekit.runners.base import (
    ALL_INTERMEDIATES,
    Array,
    Held,
    Payload,
    Port,
    Ports,
    RunnerBase,
    check_inputs,
)


class ReferenceRunner(RunnerBase):
    """Runs ONNX models op by op in numpy; keeps the last one loaded."""

    name = "onnx.reference"
    package = "onnx"

    def __init__(self, *, threads: int = 1) -> None:
        del threads  # numpy decides
        self._loaded: _Loaded | None = None

    def ports(self, payload: Payload) -> Ports:
        """Loads a model and returns what it takes and gives; see `Runner`."""
        return self._load(payload).ports

    def run(
        self, payload: Payload, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs a model once; see `Runner`. Values inside subgraphs cannot be observed."""
        loaded = self._load(payload)
        arrays = check_inputs(loaded.ports.inputs, inputs)
        try:
            return loaded.run(arrays, intermediates)
        except Exception as problem:  # op code of another package: anything is possible
            raise _refusal(problem) from problem

    def close(self) -> None:
        """Releases the model."""
        self._loaded = None

    def _load(self, payload: Payload) -> _Loaded:
        if self._loaded is None or not self._loaded.held.is_still(payload):
            self.close()
            try:
                self._loaded = _Loaded(payload)
            except EdgekitError:
                raise
            except Exception as problem:
                raise _refusal(problem) from problem
        return self._loaded


class _Loaded:
    """An evaluator with a model in it."""

    def __init__(self, payload: Payload) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        self.held = Held.of(payload)
        model = onnx.load_model_from_string(payload) if isinstance(payload, bytes) else onnx.load(payload)
        constants = {t.name for t in model.graph.initializer}
        self.ports = Ports(
            tuple(_port(i) for i in model.graph.input if i.name not in constants),
            tuple(_port(o) for o in model.graph.output),
        )
        self._evaluator = ReferenceEvaluator(model)

    def run(self, arrays: Mapping[str, Array], intermediates: Sequence[str]) -> dict[str, Array]:
        own = [port.name for port in self.ports.outputs]
        everything = self._evaluator.run(None, dict(arrays), intermediate=True)
        made = [n for node in self._evaluator.proto_.graph.node for n in node.output if n]
        wanted = made if tuple(intermediates) == ALL_INTERMEDIATES else intermediates
        names = dict.fromkeys([*own, *(n for n in wanted if n in everything)])
        # Copies: an output may share the memory of an input or an initializer.
        return {n: np.array(everything[n]) for n in names if not isinstance(everything[n], list)}


def _port(info: Any) -> Port:
    from onnx import TensorProto, helper

    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        raise error("EK503", f"`{info.name}` is a {kind}; only tensors can be exchanged")
    tensor = info.type.tensor_type
    is_text = tensor.elem_type == TensorProto.STRING
    dtype = np.dtype(object) if is_text else np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if not tensor.HasField("shape"):
        return Port(info.name, dtype, None)
    sizes = (d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in tensor.shape.dim)
    return Port(info.name, dtype, tuple(sizes))


def _refusal(problem: Exception) -> EdgekitError:
    return error(
        "EK503",
        "the reference evaluator of onnx refuses the model",
        notes=(f"{type(problem).__name__}: {' '.join(str(problem).split())[:2000]}",),
        data={"runtime": "onnx.reference"},
    )
