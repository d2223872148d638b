"""What is asked of a quantisation after training, and the forms of a model that it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgekit.consistency.data import Preprocess
from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.ir import Model
from edgekit.lowering.onnx.emit import executable
from edgekit.quantize import (
    Calibration,
    Form,
    Forms,
    Native,
    Numerics,
    Plan,
    Roles,
    Scheme,
    in_blocks,
    islands,
    native,
    scheme_named,
)

PERTURBED = 21
"""The newest opset in which ONNX Runtime has the random ops that draw roundings anew."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a quantisation.

    Attributes:
        backend: The backend that computes it.
        scheme: The scheme.
        calibration: How ranges follow from values.
        keep: Names of nodes of the prepared model that stay in float.
        preprocess: What happens to images to calibrate with.
    """

    backend: str
    scheme: Scheme
    calibration: Calibration = field(default_factory=Calibration)
    keep: frozenset[str] = frozenset()
    preprocess: Preprocess | None = None

    @classmethod
    def of(
        cls,
        backend: str,
        scheme: str,
        *,
        method: str = "minmax",
        percentile: float = 99.99,
        block_size: int | None = None,
        numerics: Numerics | None = None,
        keep: frozenset[str] = frozenset(),
        preprocess: Preprocess | None = None,
    ) -> Wish:
        """Resolves names.

        Args:
            backend: The backend.
            scheme: Name of a scheme.
            method: Name of a calibration method.
            percentile: For `percentile`.
            block_size: Elements that share a scale, for a weight-only scheme; `None` leaves it open.
            numerics: What a target asks of scales and zero points.
            keep: Names of nodes that stay in float.
            preprocess: What happens to images.

        Raises:
            EdgekitError: EK204 for unknown names, EK202 for bad numbers, EK403 for what the backend does not
                compute.
        """
        chosen = in_blocks(scheme_named(scheme), backend, block_size)
        chosen = chosen if numerics is None else chosen.under(numerics)
        bits = 8 if chosen.activations is None else 8 * chosen.activations.numpy.itemsize
        return cls(backend, chosen, Calibration(method, percentile, bits), keep, preprocess)

    @property
    def how(self) -> Native:
        """How the backend computes the scheme."""
        return native(self.backend, self.scheme)


def formed(quantised: Model, plan: Plan, wish: Wish) -> Forms:
    """Returns a quantised model as it is lowered and as it is judged, both in opsets that are executed.

    Args:
        quantised: What `quantize` returned.
        plan: The float model that it was made of.
        wish: What was asked.
    """
    forms = Forms.of(quantised, plan, wish.scheme, wish.how, wish.keep)
    reference = _judged(forms.reference, wish.scheme)
    return Forms(reference if forms.lowered is forms.reference else executable(forms.lowered), reference)


def floats(plan: Plan, wish: Wish) -> tuple[Diagnostic, ...]:
    """Names what stays in float; for TFLite the lowering does, which knows its kernels."""
    if wish.backend == "tflite":
        return ()
    graph = plan.model.ir.graph
    return islands(graph, Roles.of(graph, wish.scheme, wish.keep))


def _judged(reference: Model, scheme: Scheme) -> Model:
    """Returns a reference in an opset in which its roundings can be drawn anew, where there is one.

    A rounding of activations at run time that falls on the other side is a whole step of their range.
    """
    if scheme.form is not Form.DYNAMIC:
        return executable(reference)
    try:
        return executable(reference, PERTURBED)
    except EdgekitError:
        return executable(reference)  # then nothing excuses such a step


def record(wish: Wish) -> dict[str, Any]:
    """Returns what a manifest tells of a wish."""
    scheme, calibration = wish.scheme, wish.calibration
    weights = scheme.weights
    in_blocks = weights is not None and scheme.form is Form.WEIGHTS
    return {
        "scheme": scheme.name,
        "how": wish.how.how,
        "block": weights.block if weights is not None and in_blocks else None,
        "method": calibration.method if scheme.is_calibrated else None,
        "percentile": calibration.percentile if calibration.method == "percentile" else None,
        "keep": sorted(wish.keep),
    }
