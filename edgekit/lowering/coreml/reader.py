"""Reads the ops of a Core ML program back from its `.mlmodel` file."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lowering.coreml.tools import model_proto


def program_ops(payload: bytes) -> Iterator[tuple[str, list[str]]]:
    """Yields the ops of the main function, constants left out, each with the names of its results.

    Args:
        payload: The contents of the `.mlmodel` file of an ML Program.

    Raises:
        EdgekitError: EK501 without coremltools.
    """
    spec = model_proto().FromString(payload)
    function = spec.mlProgram.functions["main"]
    for op in function.block_specializations[function.opset].operations:
        if op.type != "const":
            yield op.type, [o.name for o in op.outputs]
