"""Judges one case: converts it, runs the artifact, compares with what ONNX expects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from edgekit import api
from edgekit.diagnostics import EdgekitError
from edgekit.runners import runner_for
from edgekit.runners.execute import run_artifact
from tests.conformance.cases import Case

OPTIONS = {"coreml": {"precision": "fp32", "minimum_deployment_target": "iOS18"}}
"""Options of a backend: the precision that ONNX's tolerances are meant for, and the newest target."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case.

    Attributes:
        name: ONNX's name of the test.
        op: The op under test.
        status: `pass`, `refused`, `wrong`, `crash`, or `runtime` where the artifact is ONNX and ONNX
            Runtime does no better on the source model itself.
        code: The diagnostic's code for a refusal.
        detail: Why, in one line.
        seconds: Time taken.
    """

    name: str
    op: str
    status: str
    code: str = ""
    detail: str = ""
    seconds: float = 0.0


def judge(case: Case, backend: str) -> Outcome:
    """Converts without verification, so that a wrong lowering cannot hide behind a refusal."""
    outcome = _convert_and_run(case, backend)
    if backend == "onnx" and outcome.status in ("wrong", "crash") and not _runs_as_expected(case):
        return replace(outcome, status="runtime")
    return outcome


def _runs_as_expected(case: Case) -> bool:
    """Tells whether ONNX Runtime itself passes the case."""
    payload = case.model.SerializeToString()
    try:
        with runner_for("onnx", isolate=False) as runner:
            results = [runner.run(payload, inputs) for inputs, _ in case.samples]
    except EdgekitError:
        return False
    return not any(
        _compare(case, want, list(got.values())) for (_, want), got in zip(case.samples, results, strict=True)
    )


def _convert_and_run(case: Case, backend: str) -> Outcome:
    op = _op_under_test(case)
    try:
        artifact = api.convert(case.model, backend, verify=False, options=OPTIONS.get(backend))
        with runner_for(backend, isolate=False) as runner:
            results = [run_artifact(artifact, inputs, runner) for inputs, _ in case.samples]
    except EdgekitError as error:
        first = error.diagnostics[0]
        status = "crash" if first.code in ("EK901", "EK502", "EK503") else "refused"
        return Outcome(case.name, op, status, first.code, first.message)
    for (inputs, expected), outputs in zip(case.samples, results, strict=True):
        wrong = _compare(case, expected, list(outputs.values()))
        if wrong and not _is_nearer_the_truth(case, inputs, list(outputs.values())):
            return Outcome(case.name, op, "wrong", detail=wrong)
    return Outcome(case.name, op, "pass")


def _is_nearer_the_truth(case: Case, inputs: dict[str, Any], outputs: list[Any]) -> bool:
    """Tells whether outputs agree with ONNX's definition in float64, at ONNX's tolerance.

    Where large terms cancel, what ONNX computes in float32 is rounding noise: an inverse DFT that is
    0 by definition is expected to be 2e-7, which only the same FFT reproduces.
    """
    if any(v.dtype == np.float64 or v.dtype.kind != "f" for v in [*inputs.values(), *outputs]):
        return False
    wide = {name: value.astype(np.float64) for name, value in inputs.items()}
    try:
        truth = ReferenceEvaluator(_widened(case.model)).run(None, wide)
    except RuntimeError:
        return False  # the evaluator has an op that does not take float64
    return not _compare(case, tuple(t.astype(o.dtype) for t, o in zip(truth, outputs, strict=True)), outputs)


def _widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model with its own float16 numbers and casts in float64, which the inputs are given in."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    half, double = onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE
    tensors = [
        *wide.graph.initializer,
        *(a.t for n in wide.graph.node for a in n.attribute if a.HasField("t")),
    ]
    for tensor in tensors:
        if tensor.data_type == half:
            tensor.CopyFrom(
                numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
            )
    for attribute in (a for n in wide.graph.node if n.op_type == "Cast" for a in n.attribute):
        if attribute.name == "to" and attribute.i == half:
            attribute.i = double
    return wide


def _op_under_test(case: Case) -> str:
    nodes = case.model.graph.node
    return nodes[0].op_type if len(nodes) == 1 else "several"


def _compare(case: Case, expected: tuple[Any, ...], outputs: list[Any]) -> str:
    if len(outputs) != len(expected):
        return f"{len(outputs)} outputs instead of {len(expected)}"
    for i, (want, got) in enumerate(zip(expected, outputs, strict=True)):
        if got.dtype != want.dtype:
            return f"output {i} is {got.dtype} instead of {want.dtype}"
        if got.shape != want.shape:
            return f"output {i} has shape {got.shape} instead of {want.shape}"
        try:
            np.testing.assert_allclose(_real(got), _real(want), rtol=case.rtol, atol=case.atol)
        except AssertionError as error:
            return f"output {i}: " + " ".join(str(error).split())[:160]
    return ""


def _real(array: Any) -> Any:
    """ml_dtypes' narrow floats have no tolerance arithmetic of their own."""
    if array.dtype.kind in "biufc":
        return array
    return array if array.dtype.kind == "O" else array.astype(np.float32)
