"""The TFLite backend: lowers, arranges the layout, writes the file, describes the artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.artifact import Artifact, ArtifactFile, Binding
from edgekit.diagnostics import EdgekitError, Severity
from edgekit.ir import LABELS_KEY, Model, Origin, TensorSpec
from edgekit.lowering.backends import Recipe, file_stem, source_of, versions
from edgekit.lowering.ledger import Lowered, TensorMap, Value
from edgekit.lowering.op import LowerOptions
from edgekit.lowering.tflite import lower_tflite, write_tflite
from edgekit.lowering.tflite.options import TFLiteOptions
from edgekit.lowering.tflite.storage import stored
from edgekit.passes.decompose import expand
from edgekit.passes.pipeline import Prepared

LABELS_NAME = "labels.txt"
"""Name of the metadata buffer that holds the labels, one per line."""


def build(source: Model, prepared: Prepared, recipe: Recipe) -> Artifact:
    """Makes the unverified TFLite artifact of a prepared model.

    Args:
        source: The model as imported.
        prepared: The same after `passes.prepare`.
        recipe: The options.

    Returns:
        The artifact, with the map of its tensors and their origins.

    Raises:
        EdgekitError: With every refused node (EK3xx).
    """
    own = TFLiteOptions.of(recipe.options)
    options = LowerOptions(
        recipe.allow_approximate,
        recipe.io_layout,
        own.require_full_integer,
        own.integer_io,
        own.exact_functions,
    )
    lowered = lower_tflite(prepared.model, expand, options)
    if any(d.severity is Severity.ERROR for d in lowered.diagnostics):
        raise EdgekitError(*lowered.diagnostics)
    labels = source.ir.metadata_props.get(LABELS_KEY) if recipe.labels is None else recipe.labels
    metadata = {} if labels is None else {LABELS_NAME: labels.encode()}
    names, payload = write_tflite(lowered, source, metadata)
    tensor_map = {k: _binding(m, names) for k, m in lowered.tensors.items() if m.value in names}
    return Artifact(
        backend="tflite",
        files=(ArtifactFile.of(f"{file_stem(source)}.tflite", payload),),
        source=source_of(source),
        inputs=source.inputs,
        outputs=source.outputs,
        input_bindings=_public(lowered.inputs, source.inputs, names),
        output_bindings=_public(lowered.outputs, source.outputs, names),
        tensor_map=tensor_map,
        origins=_origins(lowered, names),
        recipe={**recipe.to_dict(), "integer": _has_integer_kernels(lowered)},
        versions=versions("onnx", "onnx-ir", "ai-edge-litert"),
        certificate=lowered.certificate,
        diagnostics=lowered.diagnostics,
    )


def _binding(tensor: TensorMap, names: dict[Value, str]) -> Binding:
    return Binding(names[tensor.value], stored(tensor.value.dtype), tensor.perm, shift=tensor.shift)


def _public(
    tensors: Sequence[TensorMap], specs: Sequence[TensorSpec], names: dict[Value, str]
) -> tuple[Binding, ...]:
    """Binds public tensors; where integers stand for the source's reals, it says how."""
    pairs = zip(tensors, specs, strict=True)
    return tuple(
        replace(_binding(m, names), quant=None if s.dtype == m.value.dtype else m.value.quant)
        for m, s in pairs
    )


def _origins(lowered: Lowered, names: dict[Value, str]) -> dict[str, Origin]:
    return {names[v]: op.origin for op in lowered.main.ops for v in op.outputs if v in names}


def _has_integer_kernels(lowered: Lowered) -> bool:
    """Tells whether ops compute on quantised integers, whose roundings differ from the source's."""
    return any(
        v.quant is not None and v.dtype.name in ("int8", "uint8")
        for op in lowered.main.ops
        for v in op.outputs
    )
