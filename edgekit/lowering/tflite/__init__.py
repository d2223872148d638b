"""Lowering to TFLite: hub IR in, ledger of TFLite ops out, then the flatbuffer."""

from __future__ import annotations

from dataclasses import replace

from edgekit.diagnostics import Severity
from edgekit.ir import Model
from edgekit.lowering.driver import Expand, lower
from edgekit.lowering.ledger import Lowered, Value
from edgekit.lowering.op import LowerOptions
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.emit import Signature, emit, origins_metadata
from edgekit.lowering.tflite.fuse import fuse
from edgekit.lowering.tflite.integer import to_integers
from edgekit.lowering.tflite.layout import arrange
from edgekit.lowering.tflite.table import load_ops
from edgekit.lowering.tflite.views import separate_views
from edgekit.lowering.tflite.weights import store_weights

ORIGINS_NAME = "edgekit.origins"
"""Name of the metadata buffer that holds the origin of each op."""


def lower_tflite(model: Model, expand: Expand, options: LowerOptions | None = None) -> Lowered:
    """Lowers a prepared model to TFLite ops.

    Args:
        model: A model in the newest opset, shapes inferred.
        expand: Gives the decomposition of a node without a lowering.
        options: What the user allows and wants.

    Returns:
        The ledger; its diagnostics hold the refusals.
    """
    load_ops()
    options = options or LowerOptions()
    lowered = lower(model, TFLiteBuilder(), expand, options)
    if not options.keep_refused and any(d.severity is Severity.ERROR for d in lowered.diagnostics):
        return lowered  # incomplete: only its diagnostics count
    arranged = arrange(lowered, options.io_layout)
    found = to_integers(
        fuse(arranged.main),
        public=options.integer_io,
        exact=options.exact_functions,
        unsigned=options.unsigned,
    )
    islands = found.diagnostics(required=options.require_full_integer)
    return replace(
        arranged,
        main=separate_views(store_weights(found.graph, options.weights)),
        inputs=tuple(map(found.place, arranged.inputs)),
        outputs=tuple(map(found.place, arranged.outputs)),
        tensors={name: found.place(tensor) for name, tensor in arranged.tensors.items()},
        diagnostics=(*arranged.diagnostics, *islands),
    )


def write_tflite(
    lowered: Lowered, model: Model, metadata: dict[str, bytes] | None = None
) -> tuple[dict[Value, str], bytes]:
    """Writes the `.tflite` file of a complete ledger, with the origins of its ops inside.

    Args:
        lowered: A ledger without errors.
        model: The model that it was lowered from; it names the inputs and outputs.
        metadata: Further buffers to store, by name.

    Returns:
        The name that each value of the main graph has in the file, and the file's bytes.
    """
    signature = Signature(tuple(s.name for s in model.inputs), tuple(s.name for s in model.outputs))
    return emit(lowered.main, signature, {ORIGINS_NAME: origins_metadata(lowered.main), **(metadata or {})})


__all__ = ["ORIGINS_NAME", "lower_tflite", "write_tflite"]
