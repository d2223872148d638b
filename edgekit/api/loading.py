"""Models in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.ir import Model


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
