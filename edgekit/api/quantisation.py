"""A float model becomes an integer artifact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.api.common import Progress, chip_of
from edgekit.api.conversion import convert
from edgekit.api.loading import load
from edgekit.artifact import Artifact
from edgekit.diagnostics import EdgekitError, error
from edgekit.ir import Model

if TYPE_CHECKING:
    from edgekit.consistency.pareto import Point
    from edgekit.quantize import Numerics
    from edgekit.target import Target


def quantize(
    source: Any,
    backend: str | None = None,
    *,
    target: str | Path | None = None,
    scheme: str | None = None,
    calibrate: Any = None,
    preprocess: Any = None,
    method: str = "minmax",
    percentile: float = 99.99,
    block_size: int | None = None,
    keep: Iterable[str] = (),
    numerics: Any = None,
    evaluate: Any = None,
    labels_from: str | None = None,
    equalise: bool = False,
    bias_correction: bool = False,
    auto: bool = False,
    max_drop: float | None = None,
    sensitivity: bool = False,
    require_full_integer: bool = False,
    integer_io: bool = False,
    exact_functions: bool = False,
    io_layout: str = "source",
    opset: int | None = None,
    allow_approximate: bool = False,
    verify: bool = True,
    inputs: Any = None,
    tolerance: float | Mapping[str, float] | None = None,
    labels: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> Artifact:
    """Quantises a float model after training, converts the result and verifies it.

    Args:
        source: A `Model`, or anything that `load` takes.
        backend: `tflite`, `onnx`, `coreml` or `tvm`; else what the target takes, else `tflite`.
        target: Id or path of a target, as `convert` takes it; it names a scheme, and what it asks of scales
            and zero points is satisfied.
        scheme: `int8` (weights with one scale per output channel), `int8-per-tensor`, `uint8`, `int16x8`,
            `dynamic`, `fp16`, `w8` or `w4`; `edgekit.quantize.SCHEMES` says what each is. `None` for the
            target's, else `int8`.
        calibrate: Samples that show the ranges of the activations: a file (`.npz`, `.npy`,
            `.safetensors`, `.csv`), a folder of images or arrays, a function that yields samples or the name
            of one (`module:function`, `file.py:function`), one sample, or an iterable of samples by input
            name; else the golden samples beside the model. `dynamic`, `fp16`, `w8` and `w4` need none.
        preprocess: An `edgekit.consistency.data.Preprocess`: how images become the input.
        method: `minmax`, `percentile`, `entropy` or `mse`.
        percentile: Share of the values in percent that lies inside the range (`percentile`).
        block_size: Elements of weights that share a scale (`w8`, `w4`); 0 for all of an output channel.
        keep: Names of nodes of the prepared model that stay in float.
        numerics: An `edgekit.quantize.Numerics`: what a target asks of scales and zero points.
        evaluate: Samples to judge with: a file (`.csv` too) or arrays, with labels or without; else those to
            calibrate with, of which some are held out where anything is chosen by what it does to them.
        labels_from: The array, or the column of a table, with the class of each sample; by default `labels`.
        equalise: Try cross-layer equalisation; it is taken if less is lost.
        bias_correction: Try bias correction; it is taken if less is lost.
        auto: Search until `max_drop` holds (1 % if it is not given): options first, then layers in float.
        max_drop: The largest share of right answers, of agreeing answers or of noise that may be lost.
        sensitivity: Rank the layers by what they cost.
        require_full_integer: Refuse a model of which an op would stay in float (TFLite, TVM).
        integer_io: Give public inputs and outputs as integers (TFLite).
        exact_functions: Look functions such as HARD_SWISH up in tables where kernels are not exact (TFLite).
        io_layout: `source` keeps the layout of public inputs and outputs; `nhwc` changes image-like ones.
        opset: Opset of an ONNX artifact.
        allow_approximate: Accept forms that are not exact; each is reported with its error.
        verify: Compare the artifact with the quantised model that it was made from.
        inputs: Inputs to verify with; else the calibration samples.
        tolerance: Largest error as a fraction of an output's range, for all or by output name.
        labels: Text of a label file to store in the artifact.
        options: Further options that only this backend has, by name.
        progress: Called with the name of each stage as it starts.
        load_options: Passed to `load`.

    Returns:
        The artifact. Its verdict is on the artifact against the QDQ model in ONNX Runtime; what the
        quantisation itself costs against the float model is in `recipe["quantization"]["accuracy"]`. If it
        costs more than `max_drop`, the best that was found is returned, with EK405 in its diagnostics.

    Raises:
        EdgekitError: EK403 if the model cannot be quantised or the backend does not compute the scheme,
            EK402 if full integers are required and not possible, EK204 for an unknown scheme or method, else
            as `convert`.
    """
    from edgekit.compat.numerics import scheme_for
    from edgekit.consistency import budget
    from edgekit.consistency.auto import Wanted, tune
    from edgekit.consistency.post_training import Wish, floats
    from edgekit.consistency.trial import Bench, Choice
    from edgekit.lowering.backends import source_of
    from edgekit.passes.pipeline import prepare
    from edgekit.quantize import Plan

    step = progress or (lambda stage: None)
    chip = None if target is None else chip_of(target)
    backend = backend or (chip.dialect if chip else "tflite")
    wish = Wish.of(
        backend,
        scheme_for(scheme, chip),
        method=method,
        percentile=percentile,
        block_size=block_size,
        numerics=numerics or (_numerics(chip) if chip else None),
        keep=frozenset(keep),
        preprocess=preprocess,
    )
    limit = 0.01 if auto and max_drop is None else max_drop
    asked = {
        "require_full_integer": require_full_integer,
        "integer_io": integer_io,
        "exact_functions": exact_functions,
    }
    integer = {name: True for name, on in asked.items() if on} | dict(options or {})
    known = {"tflite": asked.keys(), "tvm": {"require_full_integer"}}.get(backend, ())
    if not (asked.keys() & integer.keys()) <= set(known):
        raise error("EK202", f"`{backend}` has no integer kernels to choose")
    full = bool(integer.get("require_full_integer"))
    wanted = Wanted(equalise, bias_correction, auto, limit, full, sensitivity)
    if not isinstance(source, Model):
        step("import")
    model = source if isinstance(source, Model) else load(source, **load_options)
    required = wish.scheme.is_calibrated
    data, samples = budget.data_for(
        model,
        calibrate,
        evaluate,
        labels_from,
        required=required,
        hold_out=wanted.tries,
        preprocess=preprocess,
    )
    step("simplify")
    bench = Bench(model, Plan.of(prepare(model).model), data)
    step("quantise")
    tuned = tune(bench, Choice(wish), wanted)
    given = samples.at_once(budget.SCORED) or None
    artifact = convert(
        tuned.trial.forms.lowered,
        backend,
        target=target,
        io_layout=io_layout,
        opset=opset,
        allow_approximate=allow_approximate,
        tolerance=tolerance,
        fp16=wish.scheme.name == "fp16" and backend == "onnx",
        options={**wish.how.options, **integer},
        verify=verify,
        inputs=given if inputs is None else inputs,
        labels=labels,
        reference=tuned.trial.forms.reference,
        progress=step,
    )
    account = budget.account(bench, tuned, wanted, artifact if verify else None)
    notes, stays = list(samples.notes), floats(bench.plan, tuned.trial.choice.wish)
    made = {**account.to_dict(), "samples": len(data.fit), "source": samples.kind, "notes": notes}
    return replace(
        artifact,
        source=source_of(model),
        recipe={**artifact.recipe, "quantization": made},
        diagnostics=(*artifact.diagnostics, *stays, *account.diagnostics()),
    )


def pareto(
    source: Any,
    backend: str = "tflite",
    *,
    schemes: Sequence[str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[tuple[Point, ...], dict[str, Artifact]]:
    """Quantises a model with every scheme of a backend, and puts size, latency and cost side by side.

    Args:
        source: A `Model`, or anything that `load` takes.
        backend: As for `quantize`. Latency is measured for `tflite` only.
        schemes: Which schemes; by default all that the backend computes.
        progress: Called with the name of each stage as it starts.
        options: As for `quantize`, except `scheme`.

    Returns:
        One point per scheme, `float` first, and the artifacts by scheme. A scheme that cannot be had is a
        point with the reason.

    Raises:
        EdgekitError: As `load`; EK403 without samples to judge with.
    """
    from edgekit.consistency.calibrate import calibration_samples
    from edgekit.consistency.pareto import points
    from edgekit.quantize import schemes_of

    step = progress or (lambda stage: None)
    model = source if isinstance(source, Model) else load(source)
    samples = calibration_samples(model, options.get("calibrate"), options.get("preprocess"))
    artifacts: dict[str, Artifact] = {}
    refused: dict[str, EdgekitError] = {}
    for name in ("float", *(schemes or schemes_of(backend))):
        step(name)
        try:
            if name == "float":
                artifacts[name] = convert(model, backend, io_layout=options.get("io_layout", "source"))
            else:
                artifacts[name] = quantize(model, backend, scheme=name, **options)
        except EdgekitError as problem:
            refused[name] = problem
    step("measure")
    return points(artifacts, refused, samples.arrays[0]), artifacts


def _numerics(chip: Target) -> Numerics:
    """Returns what a target asks of scales and zero points."""
    from edgekit.quantize import Numerics

    asked = chip.numerics
    return Numerics(
        per_channel=asked.per_channel,
        symmetric_weights=asked.symmetric_weights,
        symmetric_activations=asked.symmetric_activations,
        power_of_two=asked.power_of_two,
    )
