"""A model becomes a verified artifact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.api.common import Progress, chip_of, no_collection
from edgekit.api.loading import load
from edgekit.artifact import Artifact
from edgekit.diagnostics import error
from edgekit.ir import Model

if TYPE_CHECKING:
    from edgekit.lowering.backends import Recipe
    from edgekit.target import Target


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
    reference: Model | None = None,
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
        reference: A model with the same inputs and outputs that the artifact must agree with, in place of
            the source: one that spells out a rounding which the backend does by itself.
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
    chip = None if target is None else chip_of(target)
    backend = backend or (chip.dialect if chip else "tflite")
    build = backend_for(backend)
    with no_collection():
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
            complete,
            reference or model,
            lambda other: build(model, prepared, other),
            recipe,
            inputs,
            tolerance,
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


def _compiled(artifact: Artifact, chip: Target, step: Progress) -> Artifact:
    """Runs the target's own compiler, where edgekit knows one."""
    from edgekit.compat.vendor import compiled

    if artifact.backend != chip.dialect:
        raise error("EK205", f"`{chip.id}` takes {chip.dialect}, not {artifact.backend}")
    step("compile")
    return compiled(artifact, chip)
