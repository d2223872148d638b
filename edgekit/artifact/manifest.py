"""`manifest.json`: the written form of an artifact. Pydantic holds what is read to the schema."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import ml_dtypes
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from edgekit.artifact.binding import Binding, Classes, Picture, Sizes
from edgekit.artifact.types import Artifact, ArtifactFile, Source
from edgekit.artifact.verification import Verification
from edgekit.diagnostics import Diagnostic
from edgekit.ir import Layout, Origin, Quant, TensorSpec

SCHEMA = "edgekit.artifact/1"
"""Changes whenever an older reader would misread the file."""

MANIFEST_NAME = "manifest.json"
STRING = "string"
"""How the dtype of text is written."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._+ -]{0,199}")
_NUMPY_NAMES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
_ML_NAMES = (
    *("bfloat16", "int2", "int4", "uint2", "uint4", "float4_e2m1fn", "float8_e4m3fn", "float8_e4m3fnuz"),
    *("float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
)


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Returns the name under which a dtype is written."""
    return STRING if dtype.kind in "OUS" else dtype.name


def dtype_of(name: str) -> np.dtype[Any]:
    """Returns the dtype of a written name.

    Raises:
        ValueError: If the name is not one of ONNX's dtypes.
    """
    if name == STRING:
        return np.dtype(object)
    if name in _NUMPY_NAMES:
        return np.dtype(name)
    if name in _ML_NAMES and hasattr(ml_dtypes, name):
        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return dtype
    raise ValueError(f"`{name}` is not a known dtype")


def is_safe_path(name: str) -> bool:
    """Tells whether a name can only mean a file inside the artifact's directory, or in a folder there."""
    plain = all(_PLAIN_NAME.fullmatch(part) is not None for part in name.split("/"))
    return plain and name.split("/")[0].lower() != MANIFEST_NAME


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_dtype(name: str) -> str:
    dtype_of(name)
    return name


class _File(_Entry):
    name: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str) -> str:
        if not is_safe_path(name):
            raise ValueError("a file name must not lead out of the directory")
        return name


class _Spec(_Entry):
    name: str
    dtype: str
    shape: list[int | str | None] | None
    layout: Layout | None = None
    quant: Quant | None = None

    _dtype = field_validator("dtype")(_known_dtype)

    @classmethod
    def of(cls, spec: TensorSpec) -> _Spec:
        shape = None if spec.shape is None else list(spec.shape)
        return cls(
            name=spec.name, dtype=dtype_name(spec.dtype), shape=shape, layout=spec.layout, quant=spec.quant
        )

    def spec(self) -> TensorSpec:
        shape = None if self.shape is None else tuple(self.shape)
        return TensorSpec(self.name, dtype_of(self.dtype), shape, self.layout, self.quant)


class _Bound(_Entry):
    tensor: str
    dtype: str
    perm: tuple[int, ...] | None = None
    boxed: bool = False
    quant: Quant | None = None
    picture: Picture | None = None
    sizes: Sizes | None = None
    classes: Classes | None = None
    state: bool = False
    shift: int = 0

    _dtype = field_validator("dtype")(_known_dtype)

    @field_validator("perm")
    @classmethod
    def _perm_is_permutation(cls, perm: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if perm is not None and sorted(perm) != list(range(len(perm))):
            raise ValueError("not a permutation")
        return perm

    @classmethod
    def of(cls, binding: Binding) -> _Bound:
        fields = {f.name: getattr(binding, f.name) for f in dataclasses.fields(binding)}
        return cls(**{**fields, "dtype": dtype_name(binding.dtype)})

    def binding(self) -> Binding:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(Binding)}
        return Binding(**{**fields, "dtype": dtype_of(self.dtype)})


class _BoundSpec(_Entry):
    source: _Spec
    artifact: _Bound


class Manifest(_Entry):
    """The schema of `manifest.json`."""

    schema_: Literal["edgekit.artifact/1"] = Field(alias="schema")
    backend: str
    files: Annotated[list[_File], Field(min_length=1)]
    source: Source
    inputs: list[_BoundSpec]
    outputs: list[_BoundSpec]
    tensor_map: dict[str, _Bound]
    origins: dict[str, Origin]
    recipe: dict[str, Any]
    versions: dict[str, str]
    certificate: str
    verification: Verification | None
    diagnostics: list[Diagnostic]

    @field_validator("files")
    @classmethod
    def _names_differ(cls, files: list[_File]) -> list[_File]:
        # Lower case, because some file systems do not tell the two apart.
        names = {f.name.lower() for f in files}
        if len(names) != len(files):
            raise ValueError("two files have the same name")
        if any(folder in names for name in names for folder in _folders(name)):
            raise ValueError("a file has the name of a folder")
        return files

    def artifact(self, directory: Path) -> Artifact:
        """Returns the artifact whose files lie in a directory; nothing is read from it."""
        return Artifact(
            backend=self.backend,
            files=tuple(ArtifactFile(f.name, directory / f.name, f.sha256, f.size) for f in self.files),
            source=self.source,
            inputs=tuple(i.source.spec() for i in self.inputs),
            outputs=tuple(o.source.spec() for o in self.outputs),
            input_bindings=tuple(i.artifact.binding() for i in self.inputs),
            output_bindings=tuple(o.artifact.binding() for o in self.outputs),
            tensor_map={name: bound.binding() for name, bound in self.tensor_map.items()},
            origins=self.origins,
            recipe=self.recipe,
            versions=self.versions,
            certificate=self.certificate,
            verification=self.verification,
            diagnostics=tuple(self.diagnostics),
        )


def _folders(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def to_json(artifact: Artifact) -> bytes:
    """Returns the manifest of an artifact: the same bytes for the same artifact.

    Args:
        artifact: Its file names must be safe.

    Raises:
        pydantic.ValidationError: If the artifact does not fit the schema.
    """
    fields = {
        "schema": SCHEMA,
        "backend": artifact.backend,
        "files": [{"name": f.name, "sha256": f.sha256, "size": f.size} for f in artifact.files],
        "source": _plain(artifact.source),
        "inputs": _bound_specs(artifact.inputs, artifact.input_bindings),
        "outputs": _bound_specs(artifact.outputs, artifact.output_bindings),
        "tensor_map": {name: _Bound.of(b).model_dump() for name, b in artifact.tensor_map.items()},
        "origins": {name: _plain(origin) for name, origin in artifact.origins.items()},
        "recipe": _plain(artifact.recipe),
        "versions": dict(artifact.versions),
        "certificate": artifact.certificate,
        "verification": _plain(artifact.verification),
        "diagnostics": [_plain(d.to_dict()) for d in artifact.diagnostics],
    }
    Manifest.model_validate(fields)  # what we write we can read
    return seal(fields)


def seal(fields: Mapping[str, Any]) -> bytes:
    """Returns the text of a manifest, with a digest that shows any later change.

    Args:
        fields: The manifest as JSON types.
    """
    sealed = {**fields, "digest": _digest(fields)}
    return (json.dumps(sealed, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def from_json(data: bytes) -> Manifest:
    """Reads a manifest.

    Raises:
        ValueError: If it is not JSON or does not fit the schema; a pydantic `ValidationError` is one.
        RecursionError: If it is nested beyond reason.
    """
    fields = json.loads(data)
    if not isinstance(fields, dict):
        raise ValueError("it is not an object")
    digest = fields.pop("digest", None)
    manifest = Manifest.model_validate(fields)
    if digest != _digest(fields):
        raise ValueError("it was changed after it was written: its digest does not fit")
    return manifest


def _digest(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _bound_specs(specs: tuple[TensorSpec, ...], bindings: tuple[Binding, ...]) -> list[dict[str, Any]]:
    return [
        {
            "source": _Spec.of(spec).model_dump(mode="json"),
            "artifact": _Bound.of(binding).model_dump(mode="json"),
        }
        for spec, binding in zip(specs, bindings, strict=True)
    ]


def _plain(value: Any) -> Any:
    """Returns the JSON form of dataclasses and containers; non-finite numbers become text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number; pydantic reads `inf` and `nan` back
    if isinstance(value, str | int | float | None):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a manifest")
