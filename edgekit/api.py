"""The Python API: `load`, `check`, `agree`, `convert`, `quantize`, `open`, `run`."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Artifact
from edgekit.diagnostics import EdgekitError, error
from edgekit.ir import Model

if TYPE_CHECKING:
    from edgekit.compat.agreement import Agreement
    from edgekit.compat.candidate import Candidate
    from edgekit.compat.check import Compatibility
    from edgekit.consistency.proof import Proof
    from edgekit.lowering.backends import Recipe
    from edgekit.target import Target

Progress = Callable[[str], None]
"""Called with the name of each stage as it starts."""


def load(
    source: Any,
    *,
    example_inputs: Any = None,
    allow_pickle: bool = False,
    dynamic_shapes: Any = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Model:
    """Imports a model.

    Args:
        source: A path, `onnx.ModelProto`, `torch.nn.Module`, `torch.export.ExportedProgram`,
            `keras.Model`, or `"package.module:factory"`.
        example_inputs: Positional inputs for a live PyTorch module.
        allow_pickle: Accept files whose loading runs code stored in them.
        dynamic_shapes: Which sizes stay symbolic, as `torch.export` takes them.
        input_shapes: All sizes of an input, by its name, where the model leaves some open.

    Returns:
        The model in the hub IR; every node carries its origin.

    Raises:
        EdgekitError: EK1xx when the source cannot be read, EK2xx when a plugin cannot be loaded or a
            shape does not fit, EK501 when a package is missing.
    """
    from edgekit import importers, plugins

    plugins.load_all()
    model = importers.load(
        source, example_inputs=example_inputs, allow_pickle=allow_pickle, dynamic_shapes=dynamic_shapes
    )
    return importers.fix_shapes(model, input_shapes) if input_shapes else model


def convert(
    source: Any,
    backend: str | None = None,
    *,
    target: str | Path | None = None,
    io_layout: str = "source",
    opset: int | None = None,
    fp16: bool = False,
    allow_approximate: bool = False,
    verify: bool = True,
    inputs: Any = None,
    tolerance: float | Mapping[str, float] | None = None,
    labels: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> Artifact:
    """Converts a model and verifies the result against it.

    Args:
        source: A `Model`, or anything that `load` takes.
        backend: `tflite`, `onnx`, `coreml` or `tvm`; by default the target's, without a target `tflite`.
        target: Id or path of a target; its compiler, where edgekit knows one, compiles the result, and what
            it makes and says is added to the artifact.
        io_layout: `source` keeps the layout of public inputs and outputs; `nhwc` changes image-like ones.
        opset: Opset of an ONNX artifact.
        fp16: Make a float16 ONNX artifact.
        allow_approximate: Accept forms that are not exact; each is reported with its error.
        verify: Run source and artifact on the same inputs and compare all outputs.
        inputs: Inputs to verify with, by input name, or a file of them; else golden samples beside
            the model, else seeded data that respects ranges and integer semantics.
        tolerance: Largest error as a fraction of an output's range, for all or by output name.
        labels: Text of a label file to store in the artifact.
        options: Options that only this backend has, by name.
        progress: Called with the name of each stage as it starts.
        load_options: Passed to `load`.

    Returns:
        The artifact with its verdict in `verification`: `verified`, `mismatch` or `unverified`.

    Raises:
        EdgekitError: EK1xx for a bad model, EK2xx for a plugin that cannot be loaded, EK3xx for what the
            backend cannot express.
    """
    from edgekit import plugins
    from edgekit.artifact.verification import not_verified
    from edgekit.lowering.backends import Recipe, backend_for, to_find_sensitive
    from edgekit.passes.pipeline import prepare

    plugins.load_all()
    step = progress or (lambda stage: None)
    chip = None if target is None else _chip(target)
    backend = backend or (chip.dialect if chip else "tflite")
    build = backend_for(backend)
    with _no_collection():
        if isinstance(source, Model):
            model = source
        else:
            step("import")
            model = load(source, **load_options)
        step("simplify")
        prepared = prepare(model)
        step("lower")
        recipe = Recipe(io_layout, opset, fp16, allow_approximate, labels, dict(options or {}), step)
        exact = to_find_sensitive(backend, recipe)
        artifact = build(model, prepared, exact or recipe)
    passes = [asdict(report) for report in prepared.reports]

    def finish(made: Artifact, recipe: Recipe) -> Artifact:
        complete = replace(made, recipe={**made.recipe, "passes": passes})
        if chip is not None:
            complete = _compiled(complete, chip, step)
        if not verify:
            return complete.with_verification(not_verified("verification was switched off"))
        step("verify")
        return _verified(
            complete, model, lambda other: build(model, prepared, other), recipe, inputs, tolerance
        )

    if exact is None:
        return finish(artifact, recipe)
    step("measure")
    return _mixed(model, artifact, recipe, lambda r: finish(build(model, prepared, r), r), inputs)


def _mixed(
    model: Model, exact: Artifact, recipe: Recipe, made: Callable[[Recipe], Artifact], inputs: Any
) -> Artifact:
    """Keeps the nodes in float32 that lose too much in float16; more of them if it does not suffice."""
    from edgekit.artifact.verification import Verdict
    from edgekit.consistency.sensitive import THRESHOLDS, note, sensitive_nodes

    artifact = exact
    for threshold in THRESHOLDS:
        kept = sensitive_nodes(model, exact, threshold, inputs=inputs)
        wanted = {"precision": "mixed", "keep_fp32": list(kept)} if kept else {"precision": "fp16"}
        artifact = made(replace(recipe, options={**recipe.options, **wanted}))
        artifact = replace(artifact, diagnostics=(*artifact.diagnostics, note(kept, threshold)))
        if artifact.verification is None or artifact.verification.verdict is not Verdict.MISMATCH:
            break
    return artifact


def _verified(
    artifact: Artifact,
    model: Model,
    build: Callable[[Recipe], Artifact],
    recipe: Recipe,
    inputs: Any,
    tolerance: float | Mapping[str, float] | None,
) -> Artifact:
    """Gives an artifact its verdict, by another one where itself cannot be compared with the source."""
    from edgekit.consistency.compressed import verify_compressed
    from edgekit.consistency.stand_in import verdict_by
    from edgekit.consistency.verify import verify
    from edgekit.lowering.backends import before_compression, stand_in_for

    plain = before_compression(recipe)
    if plain is not None:
        outcome = verify_compressed(model, artifact, build(plain), inputs=inputs, tolerance=tolerance)
        judged = artifact.with_verification(outcome.verification)
        return replace(judged, recipe={**artifact.recipe, "compression": outcome.made})
    here = stand_in_for(artifact.backend, recipe)
    runnable = artifact if here is None else build(here)
    verification = verify(model, runnable, inputs=inputs, tolerance=tolerance)
    return artifact.with_verification(verification if here is None else verdict_by(verification))


def quantize(
    source: Any,
    backend: str = "tflite",
    *,
    target: str | Path | None = None,
    scheme: str | None = None,
    calibrate: Any = None,
    method: str = "minmax",
    percentile: float = 99.99,
    require_full_integer: bool = False,
    integer_io: bool = False,
    exact_functions: bool = False,
    io_layout: str = "source",
    verify: bool = True,
    inputs: Any = None,
    labels: str | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> Artifact:
    """Quantises a float model after training, converts the result and verifies it.

    Args:
        source: A `Model`, or anything that `load` takes.
        backend: `tflite`, `tvm`, or `onnx` for the QDQ model itself.
        target: Id or path of a target, as `convert` takes it.
        scheme: `int8` (weights with one scale per output channel) or `int8-per-tensor`; by default the
            target's, without a target `int8`.
        calibrate: Samples that show the ranges of the activations: a file (`.npz`, `.npy`,
            `.safetensors`), one sample, or an iterable of samples by input name; else the golden samples
            beside the model.
        method: `minmax` or `percentile`.
        percentile: Share of the values in percent that lies inside the range (`percentile`).
        require_full_integer: Refuse a model of which an op would stay in float (TFLite, TVM).
        integer_io: Give public inputs and outputs as integers (TFLite).
        exact_functions: Look functions such as HARD_SWISH up in tables where kernels are not exact (TFLite).
        io_layout: `source` keeps the layout of public inputs and outputs; `nhwc` changes image-like ones.
        verify: Compare the artifact with the QDQ model that it was made from.
        inputs: Inputs to verify with; else the calibration samples.
        labels: Text of a label file to store in the artifact.
        progress: Called with the name of each stage as it starts.
        load_options: Passed to `load`.

    Returns:
        The artifact. Its verdict is on the artifact against the QDQ model in ONNX Runtime; what the
        quantisation itself costs against the float model is in `recipe["quantization"]["loss"]`.

    Raises:
        EdgekitError: EK403 if the model cannot be quantised, EK402 if full integers are required and not
            possible, EK204 for an unknown scheme or method, EK202 if the target asks for what no scheme
            does, else as `convert`.
    """
    from edgekit.compat.numerics import scheme_for
    from edgekit.consistency import calibrate as calibration
    from edgekit.lowering.backends import source_of
    from edgekit.lowering.onnx.emit import executable
    from edgekit.passes.pipeline import prepare
    from edgekit.quantize import Calibration, Plan, observed_names, scheme_named
    from edgekit.quantize import quantize as insert

    step = progress or (lambda stage: None)
    wanted = scheme_for(scheme, None if target is None else _chip(target))
    chosen, how = scheme_named(wanted), Calibration(method, percentile)
    if not isinstance(source, Model):
        step("import")
    model = source if isinstance(source, Model) else load(source, **load_options)
    samples = calibration.calibration_samples(model, calibrate)
    step("simplify")
    prepared = prepare(model)
    plan = Plan.of(prepared.model)
    step("calibrate")
    ranges = calibration.observe_ranges(executable(plan.model), samples.arrays, observed_names(plan), how)
    step("quantise")
    qdq, reports = insert(plan, chosen, ranges)
    runnable = executable(qdq)
    loss = calibration.losses(model, runnable, samples.arrays)
    options: dict[str, Any] = {}
    if backend == "tflite":
        options = {
            "require_full_integer": require_full_integer,
            "integer_io": integer_io,
            "exact_functions": exact_functions,
        }
    elif backend == "tvm" and not (integer_io or exact_functions):
        options = {"require_full_integer": require_full_integer}
    elif require_full_integer or integer_io or exact_functions:
        raise error("EK202", f"`{backend}` has no integer kernels to choose")
    artifact = convert(
        runnable,
        backend,
        target=target,
        io_layout=io_layout,
        options=options,
        verify=verify,
        inputs=list(samples.arrays) if inputs is None else inputs,
        labels=labels,
        progress=step,
    )
    made = {
        "scheme": chosen.name,
        "method": how.method,
        "percentile": how.percentile if how.method == "percentile" else None,
        "samples": len(samples.arrays),
        "source": samples.kind,
        "passes": [asdict(report) for report in reports],
        "loss": [one.to_dict() for one in loss],
    }
    return replace(artifact, source=source_of(model), recipe={**artifact.recipe, "quantization": made})


def _chip(target: str | Path) -> Target:
    from edgekit.compat.targets import target as load_target

    return load_target(target)


def _compiled(artifact: Artifact, chip: Target, step: Progress) -> Artifact:
    """Runs the target's own compiler, where edgekit knows one."""
    from edgekit.compat.vendor import compiled

    if artifact.backend != chip.dialect:
        raise error("EK205", f"`{chip.id}` takes {chip.dialect}, not {artifact.backend}")
    step("compile")
    return compiled(artifact, chip)


def check(
    source: Any,
    target: str | Path | Sequence[str | Path] | None = None,
    *,
    folders: Sequence[Path] = (),
    what_if: Mapping[str, Sequence[int]] | None = None,
    allow_approximate: bool = False,
    io_layout: str = "source",
    progress: Progress | None = None,
    **load_options: Any,
) -> Compatibility:
    """Tells where the ops of a model run on targets, by the rules of their toolchains.

    Args:
        source: A `Model`, anything that `load` takes, or a `.tflite` file or an `.mlpackage`, whose own ops
            are then judged. So are those of an `.onnx` file by targets that take ONNX.
        target: Id or path of a descriptor, or several; `None` for all.
        folders: Folders of the project's own descriptors.
        what_if: Sizes that inputs would have, by input name.
        allow_approximate: Take forms that are not exact as supported.
        io_layout: `source` keeps the layout of public inputs and outputs; `nhwc` changes image-like ones.
        progress: Called with the name of each stage as it starts.
        load_options: Passed to `load`.

    Returns:
        One result for each target. A float model is judged by a target for integers only as if it were
        quantised by the target's scheme, with assumed ranges; the result's `view.notes` say so.

    Raises:
        EdgekitError: EK1xx for a bad model, EK207 and EK208 for targets that cannot be read.
    """
    from edgekit.compat.check import check as judge_all
    from edgekit.compat.targets import all_targets, cpus_of
    from edgekit.compat.targets import target as load_target

    step = progress or (lambda stage: None)
    wanted = [target] if isinstance(target, str | Path) else target
    step("targets")
    chosen = all_targets(folders) if wanted is None else [load_target(t, folders) for t in wanted]
    cpus = cpus_of(chosen, folders)
    with _no_collection():
        step("import")
        candidate = _candidate(source, load_options, allow_approximate, io_layout)
        if what_if:
            candidate = candidate.resized(what_if)
        step("judge")
        return judge_all(candidate, chosen, cpus)


def agree(
    found: Compatibility, oracle: str, *, program: str | None = None, progress: Progress | None = None
) -> tuple[Agreement, ...]:
    """Asks a vendor's compiler about a model that was checked, and compares.

    Args:
        found: What `check` gave.
        oracle: `vela` or `qnn`.
        program: Path of the tool; else its variable (such as `EDGEKIT_VELA`), the PATH and this Python are
            searched.
        progress: Called with the name of each stage as it starts.

    Returns:
        Tool and table side by side, op by op, for each target that judged the model.

    Raises:
        EdgekitError: EK501 if the tool is not installed, EK502 if it dies, EK504 if it does not finish, EK521
            if it refuses the model, EK522 if its answer is not understood, EK205 if it does not compile for
            one of the targets.
    """
    from edgekit.compat.agreement import compare
    from edgekit.compat.oracle import oracle_for

    tool = oracle_for(oracle, program=program)
    if progress:
        progress(oracle)
    file = found.candidate.path
    return tuple(
        compare(r.view.lowered, r.target, tool, file if r.view.form == "file" else None)
        for r in found.results
    )


def fix(
    found: Compatibility,
    only: str | None = None,
    *,
    folders: Sequence[Path] = (),
    progress: Progress | None = None,
) -> tuple[Compatibility, tuple[Proof, ...], Model]:
    """Rewrites what keeps a model off a target, and proves each rewrite by running both models.

    Args:
        found: What `check` said of one target.
        only: The name of the one rewrite to try; all if `None`.
        folders: Folders of the project's own descriptors.
        progress: Called with the name of each stage as it starts.

    Returns:
        What the target says of the rewritten model, one proof for each rewrite that was kept, and the model
        in an opset that ONNX Runtime executes.

    Raises:
        EdgekitError: EK205 unless one target was checked, EK204 for an unknown rewrite, EK202 for a file that
            holds no model.
    """
    from edgekit.compat.check import check as judge_all
    from edgekit.compat.fix import fix as rewrite
    from edgekit.compat.targets import cpus_of
    from edgekit.consistency.proof import prove
    from edgekit.lowering.onnx.emit import executable

    step = progress or (lambda stage: None)
    if len(found.results) != 1:
        raise error("EK205", "a model is fixed for one target", help="name it with `-t`")
    target = found.results[0].target
    cpus = cpus_of([target], folders)
    step("fix")
    fixed = rewrite(found.candidate, target, cpus, only)
    step("prove")
    proofs = prove(fixed)
    again = judge_all(fixed.candidate, [target], cpus) if fixed.applied else found
    return again, proofs, executable(fixed.model)


def _candidate(
    source: Any, load_options: Mapping[str, Any], allow_approximate: bool, io_layout: str
) -> Candidate:
    from edgekit.compat.candidate import OWN_DIALECT, Candidate

    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and path.suffix.lower() in OWN_DIALECT:
        return Candidate.of_file(path)
    model = source if isinstance(source, Model) else load(source, **load_options)
    return Candidate.of_model(model, allow_approximate=allow_approximate, io_layout=io_layout)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Puts the collection of cycles off: it walks all of a graph that is still being built, for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def open(directory: str | Path) -> Artifact:
    """Reads an artifact that `Artifact.save` wrote and checks its hashes.

    Args:
        directory: The artifact's directory.

    Returns:
        The artifact.

    Raises:
        EdgekitError: EK507 if it is damaged or is not an artifact.
    """
    return Artifact.open(directory)


def run(
    artifact: Artifact | str | Path, inputs: Mapping[str, NDArray[Any]], *, isolate: bool = True
) -> dict[str, np.ndarray[Any, Any]]:
    """Runs an artifact in the terms of its source model.

    Args:
        artifact: An artifact or its directory.
        inputs: One array for each input of the source model, in its names, layout and dtypes.
        isolate: Run in a child process, so that a runtime that aborts does no harm.

    Returns:
        The source model's outputs by name, in its order, layout and dtypes.

    Raises:
        EdgekitError: EK505 if the inputs do not fit, EK50x if the runtime fails.
    """
    from edgekit.runners import runner_for
    from edgekit.runners.execute import run_artifact

    opened = artifact if isinstance(artifact, Artifact) else open(artifact)
    with runner_for(opened.backend, isolate=isolate) as runner:
        return run_artifact(opened, inputs, runner)


__all__ = ["EdgekitError", "Progress", "agree", "check", "convert", "fix", "load", "open", "quantize", "run"]
