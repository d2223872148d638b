"""`Model`: the hub IR (`onnx_ir.Model`) with where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.diagnostics import Diagnostic
from edgekit.ir.spec import Dim, TensorSpec

LABELS_KEY = "edgekit.labels"
"""Key in a model's metadata under which the labels of its source are kept, one per line."""


ROUNDED_AT_RUN_TIME = "rounded at run time"
"""Key in a diagnostic's data that says: the file's own runtime rounds activations that the model does not."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as every importer returns it and every lowering takes it.

    Attributes:
        ir: The graph. Passes work on copies; a `Model` is never changed in place.
        source: The format it was imported from: `onnx`, `torch`, `keras`.
        path: The file it was read from, if any.
        sha256: Hash of that file, if any; weights kept outside of it are not part of the hash.
        diagnostics: Warnings and notes of the import, for the report.
    """

    ir: ir.Model
    source: str = "onnx"
    path: Path | None = None
    sha256: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def name(self) -> str:
        """A short name for reports: the graph's, or the file's stem."""
        return (self.path.stem if self.path else self.ir.graph.name) or "model"

    @property
    def opset(self) -> int:
        """Version of the default domain that the graph imports; 0 if it imports none."""
        return self.ir.opset_imports.get("", 0)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that a caller must give: graph inputs that no initializer defines."""
        initializers = self.ir.graph.initializers
        return tuple(spec_of(v) for v in self.ir.graph.inputs if v.name not in initializers)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, in graph order."""
        return tuple(spec_of(v) for v in self.ir.graph.outputs)

    def to_proto(self) -> Any:
        """Returns an `onnx.ModelProto`; initializers are copied into it."""
        return ir.serde.serialize_model(self.ir)


def spec_of(value: ir.Value) -> TensorSpec:
    """Returns what the graph says of a value.

    Args:
        value: A value of the hub IR.

    Returns:
        Its spec. A value without a dtype has dtype `object`, the same as strings.
    """
    return TensorSpec(value.name or "", numpy_dtype(value.dtype), dims_of(value.shape))


def dims_of(shape: ir.Shape | None) -> tuple[Dim, ...] | None:
    """Returns the sizes of a shape: int, symbol, or `None` where unknown."""
    if shape is None:
        return None
    return tuple(d if isinstance(d, int) else d.value for d in shape)


def numpy_dtype(dtype: ir.DataType | None) -> np.dtype[Any]:
    """Returns the numpy (or ml_dtypes) dtype of an ONNX dtype; `object` for strings and unknown."""
    if dtype is None or dtype in (ir.DataType.STRING, ir.DataType.UNDEFINED):
        return np.dtype(object)
    return np.dtype(dtype.numpy())
