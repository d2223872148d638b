"""Quantises a float model after training: calibrates, inserts, and compares with the float model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.consistency import calibrate
from edgekit.consistency.calibrate import Loss
from edgekit.consistency.data import Preprocess
from edgekit.consistency.samples import Samples
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.lowering.onnx.emit import executable
from edgekit.passes.pipeline import prepare
from edgekit.quantize import (
    Calibration,
    Form,
    Forms,
    Native,
    Numerics,
    Plan,
    Scheme,
    in_blocks,
    native,
    observed_names,
    quantize,
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


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantised model.

    Attributes:
        forms: It as it is lowered, and as it is computed by definition.
        samples: What it was calibrated and compared with; `None` where the scheme needs none and there is
            none.
        record: For the manifest.
    """

    forms: Forms
    samples: Samples | None
    record: Mapping[str, Any]


def post_training(model: Model, wish: Wish, given: Any, step: Callable[[str], None]) -> Quantised:
    """Quantises a float model.

    Args:
        model: The model as imported.
        wish: What is asked.
        given: Calibration data, as `calibration_samples` takes it.
        step: Called with the name of each stage as it starts.

    Raises:
        EdgekitError: EK403 if the model cannot be quantised or there are no samples; EK505 for samples that
            do not fit.
    """
    how, scheme = wish.how, wish.scheme
    samples = calibrate.samples_for(model, given, wish.preprocess, required=scheme.is_calibrated)
    step("simplify")
    plan = Plan.of(prepare(model).model)
    ranges: Mapping[str, tuple[float, float]] = {}
    if scheme.is_calibrated and samples is not None:
        step("calibrate")
        ranges = calibrate.observe_ranges(
            executable(plan.model), samples.arrays, observed_names(plan), wish.calibration
        )
    step("quantise")
    quantised, reports = quantize(plan, scheme, ranges, wish.keep)
    forms = Forms.of(quantised, plan, scheme, how, wish.keep)
    forms = Forms(executable(forms.lowered), _judged(forms.reference, scheme))
    loss = () if samples is None else calibrate.losses(model, forms.reference, samples.arrays)
    made = _record(wish, samples, loss)
    return Quantised(forms, samples, {**made, "passes": [asdict(report) for report in reports]})


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


def _record(wish: Wish, samples: Samples | None, loss: tuple[Loss, ...]) -> dict[str, Any]:
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
        "samples": 0 if samples is None else len(samples.arrays),
        "source": None if samples is None else samples.kind,
        "notes": [] if samples is None else list(samples.notes),
        "loss": [one.to_dict() for one in loss],
    }
