"""The table of backends: what turns an imported model into an unverified artifact."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from edgekit.artifact import Artifact, Source
from edgekit.diagnostics import error
from edgekit.ir import Model
from edgekit.passes.pipeline import Prepared


@dataclass(frozen=True, slots=True)
class Recipe:
    """The options of a conversion.

    Attributes:
        io_layout: `source` keeps the layout of public inputs and outputs, `nhwc` changes image-like ones.
        opset: Opset of an ONNX artifact; `None` for the newest that its runtime executes.
        fp16: Store and compute in float16 (ONNX).
        allow_approximate: Accept forms that are not exact; each is reported.
        labels: Text of a label file to store in the artifact, one label per line.
        options: Options that only this backend has, by name (JSON types).
        progress: Called with the name of each stage of long work, again while it goes on.
    """

    io_layout: str = "source"
    opset: int | None = None
    fp16: bool = False
    allow_approximate: bool = False
    labels: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: Callable[[str], None] = field(default=lambda stage: None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form for the manifest."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "progress"}
        return {**kept, "options": dict(self.options)}


Backend = Callable[[Model, Prepared, Recipe], Artifact]

_HOMES: Mapping[str, str] = {
    "coreml": "edgekit.lowering.coreml.backend:build",
    "onnx": "edgekit.lowering.onnx.backend:build",
    "tflite": "edgekit.lowering.tflite.backend:build",
    "tvm": "edgekit.lowering.tvm.backend:build",
}


def backend_names() -> tuple[str, ...]:
    """Returns the names of the backends, sorted."""
    return tuple(sorted(_HOMES))


def backend_for(name: str) -> Backend:
    """Returns the backend of a name; its modules are imported only now.

    Raises:
        EdgekitError: EK204 if there is none.
    """
    if name not in _HOMES:
        known = ", ".join(f"`{n}`" for n in backend_names())
        raise error("EK204", f"there is no backend `{name}`", notes=[f"backends: {known}"])
    module, _, attribute = _HOMES[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)
    return backend


_STAND_INS: Mapping[str, str] = {"tvm": "edgekit.lowering.tvm.backend:stand_in"}


def stand_in_for(name: str, recipe: Recipe) -> Recipe | None:
    """Returns how to build, for this machine, what a recipe builds for another one.

    Args:
        name: The backend.
        recipe: The options of the conversion.

    Returns:
        `None` if the artifact itself runs on this machine.
    """
    if name not in _STAND_INS:
        return None
    module, _, attribute = _STAND_INS[name].partition(":")
    stand_in: Callable[[Recipe], Recipe | None] = getattr(importlib.import_module(module), attribute)
    return stand_in(recipe)


def before_compression(recipe: Recipe) -> Recipe | None:
    """Returns how to build the same artifact with weights as they are.

    Returns:
        `None` if the recipe compresses none.
    """
    if not recipe.options.get("compress_weights"):
        return None
    return replace(recipe, options={k: v for k, v in recipe.options.items() if k != "compress_weights"})


def to_find_sensitive(backend: str, recipe: Recipe) -> Recipe | None:
    """Returns how to build, in float32, what a recipe wants in mixed precision without saying where.

    Returns:
        `None` if the recipe says it, or wants no mixed precision.
    """
    options = recipe.options
    if backend != "coreml" or options.get("precision") != "mixed" or options.get("keep_fp32"):
        return None
    plain = {k: v for k, v in options.items() if k not in ("precision", "keep_fp32", "compress_weights")}
    return replace(recipe, options={**plain, "precision": "fp32"})


def source_of(model: Model) -> Source:
    """Returns what an artifact says of the model it was made from."""
    path = None if model.path is None else model.path.name
    return Source(model.name, model.source, path, model.sha256)


def file_stem(model: Model) -> str:
    """Returns a plain file name for a model: letters, digits, `_`, `-` and `.` of its own name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", model.name).strip("._")[:100] or "model"


def versions(*packages: str) -> dict[str, str]:
    """Returns the installed versions of edgekit and the packages named."""
    return {name: importlib.metadata.version(name) for name in ("edgekit", *packages)}
