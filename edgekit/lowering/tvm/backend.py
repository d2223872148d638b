"""The TVM backend: lowers, compiles, links, describes the artifact."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from edgekit.artifact import Artifact, ArtifactFile, Binding
from edgekit.diagnostics import Diagnostic, EdgekitError, Severity
from edgekit.ir import Model, Origin, TensorSpec
from edgekit.lowering.backends import Recipe, file_stem, source_of, versions
from edgekit.lowering.ledger import Lowered, TensorMap
from edgekit.lowering.op import LowerOptions
from edgekit.lowering.tvm import lower_tvm
from edgekit.lowering.tvm.options import TvmOptions
from edgekit.lowering.tvm.storage import stored
from edgekit.passes.decompose import expand
from edgekit.passes.pipeline import Prepared


def build(source: Model, prepared: Prepared, recipe: Recipe) -> Artifact:
    """Makes the unverified TVM artifact of a prepared model.

    Args:
        source: The model as imported.
        prepared: The same after `passes.prepare`.
        recipe: The options.

    Returns:
        The artifact: one shared library with its parameters inside.

    Raises:
        EdgekitError: With every refused node (EK3xx); EK204 for a bad option; EK501 for what is missing.
    """
    options = TvmOptions.of(recipe.options)
    wanted = LowerOptions(recipe.allow_approximate, require_full_integer=options.require_full_integer)
    lowered, integer = lower_tvm(prepared.model, expand, wanted)
    if any(d.severity is Severity.ERROR for d in lowered.diagnostics):
        raise EdgekitError(*lowered.diagnostics)
    library, target, tuned, warnings = _library(lowered, source, options, recipe.progress)
    return Artifact(
        backend="tvm",
        files=(ArtifactFile.of(f"{file_stem(source)}.so", library),),
        source=source_of(source),
        inputs=source.inputs,
        outputs=source.outputs,
        input_bindings=_bindings(source.inputs, lowered.inputs),
        output_bindings=_bindings(source.outputs, lowered.outputs),
        origins=_origins(lowered),
        recipe={
            **recipe.to_dict(),
            "options": {**asdict(options), "target": target},
            "integer": integer,
            **tuned,
        },
        versions=versions("onnx", "onnx-ir", "apache-tvm", "apache-tvm-ffi"),
        diagnostics=(*lowered.diagnostics, *warnings),
    )


def stand_in(recipe: Recipe) -> Recipe | None:
    """Returns the recipe of the same module for this machine; `None` if it is meant for it already."""
    options = TvmOptions.of(recipe.options)
    if options.is_host and (options.cpu is None or _runs_here(options)):
        return None
    return replace(
        recipe, options={**recipe.options, "triple": None, "cpu": None, "device": "llvm", "tune": None}
    )


def _runs_here(options: TvmOptions) -> bool:
    from edgekit.lowering.tvm.compile import target_of
    from edgekit.lowering.tvm.features import runs_here

    return runs_here(target_of(options))


def _library(
    lowered: Lowered, source: Model, options: TvmOptions, progress: Callable[[str], None]
) -> tuple[bytes, str, dict[str, Any], tuple[Diagnostic, ...]]:
    """Compiles a complete ledger.

    Returns:
        The library, TVM's text of the target, what the manifest tells of tuning, and warnings.
    """
    from edgekit.lowering.tvm import compile as compiler  # these import TVM, which takes seconds
    from edgekit.lowering.tvm.emit import emit
    from edgekit.lowering.tvm.features import needs
    from edgekit.lowering.tvm.link import link
    from edgekit.lowering.tvm.tuning import scheduled

    target = compiler.target_of(options)
    needed = needs(target)
    ports = {
        "inputs": _ports(source.inputs, lowered.inputs),
        "outputs": _ports(source.outputs, lowered.outputs),
        "versions": versions("apache-tvm", "apache-tvm-ffi"),
        "target": str(target),
        "needs": None if needed is None else asdict(needed),
    }
    module = emit(lowered.main, source.inputs, json.dumps(ports).encode())
    linked = partial(link, options=options)
    fused = compiler.fused(module, target, options)
    loops, tuning, warnings = scheduled(fused, target, options, linked, progress)
    progress("compile")
    library = linked(compiler.executable(loops, target, options))
    tuned = {} if tuning is None else {"tuning": asdict(tuning)}
    return library, str(target), tuned, warnings


def _bindings(specs: Sequence[TensorSpec], tensors: Sequence[TensorMap]) -> tuple[Binding, ...]:
    return tuple(Binding(s.name, stored(m.value.dtype)) for s, m in zip(specs, tensors, strict=True))


def _ports(specs: Sequence[TensorSpec], tensors: Sequence[TensorMap]) -> list[dict[str, Any]]:
    return [
        {"name": s.name, "dtype": stored(m.value.dtype).name, "shape": m.value.shape}
        for s, m in zip(specs, tensors, strict=True)
    ]


def _origins(lowered: Lowered) -> dict[str, Origin]:
    """Returns the origin of each kernel call, by its position and name."""
    width = len(str(len(lowered.main.ops)))
    return {f"{i:0{width}d} {op.op}": op.origin for i, op in enumerate(lowered.main.ops)}
