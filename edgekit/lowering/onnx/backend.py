"""The ONNX backend: writes the optimised graph and describes the artifact."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.artifact import Artifact, ArtifactFile, Binding
from edgekit.diagnostics import error
from edgekit.ir import Model
from edgekit.lowering.backends import Recipe, file_stem, source_of, versions
from edgekit.lowering.onnx.emit import emit_onnx
from edgekit.passes.pipeline import Prepared

MAX_BYTES = 2**31 - 2**20
"""A protobuf message ends at 2 GiB; the last MiB is left for the graph itself."""


def build(source: Model, prepared: Prepared, recipe: Recipe) -> Artifact:
    """Makes the unverified ONNX artifact of a prepared model.

    Args:
        source: The model as imported.
        prepared: The same after `passes.prepare`.
        recipe: The options.

    Returns:
        The artifact, with the map of its tensors and their origins.

    Raises:
        EdgekitError: EK306 if the opset cannot be reached; EK307 above 2 GiB.
    """
    emitted = emit_onnx(prepared.model, opset=recipe.opset, fp16=recipe.fp16)
    _check_size(emitted.ir)
    payload = ir.serde.serialize_model(emitted.ir).SerializeToString(deterministic=True)
    return Artifact(
        backend="onnx",
        files=(ArtifactFile.of(f"{file_stem(source)}.onnx", payload),),
        source=source_of(source),
        inputs=source.inputs,
        outputs=source.outputs,
        input_bindings=tuple(Binding(s.name, s.dtype) for s in source.inputs),
        output_bindings=tuple(Binding(s.name, s.dtype) for s in source.outputs),
        tensor_map={
            v.name: Binding(v.name, v.dtype.numpy())
            for node in emitted.ir.graph
            for v in node.outputs
            if v.name and v.dtype is not None and v.dtype is not ir.DataType.STRING
        },
        origins=dict(emitted.origins),
        recipe=recipe.to_dict(),
        versions=versions("onnx", "onnx-ir"),
        diagnostics=emitted.diagnostics,
    )


def _check_size(model: ir.Model) -> None:
    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    if size > MAX_BYTES:
        raise error(
            "EK307",
            f"the weights take {size} bytes and an ONNX file cannot exceed {2**31 - 1}",
            help="store them in fewer bits (`--fp16`), or split the model",
        )
