"""`Artifact`: what a conversion makes, and how the source model is found in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from edgekit.artifact.binding import Binding
from edgekit.artifact.verification import Verification
from edgekit.diagnostics import Diagnostic
from edgekit.ir import Origin, TensorSpec

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file of an artifact.

    Attributes:
        name: Its path inside the artifact's directory: plain names joined by `/`.
        payload: Its contents, or where they lie.
        sha256: Hash of the contents, in hex.
        size: Length of the contents in bytes.
    """

    name: str
    payload: bytes | Path
    sha256: str
    size: int

    @classmethod
    def of(cls, name: str, payload: bytes | Path) -> Self:
        """Describes contents that are at hand.

        Args:
            name: The name that the file gets: plain names joined by `/`.
            payload: The contents, or a file that holds them.

        Raises:
            OSError: If the file cannot be read.
        """
        if isinstance(payload, bytes):
            return cls(name, payload, hashlib.sha256(payload).hexdigest(), len(payload))
        return cls(name, payload, hash_file(payload), payload.stat().st_size)

    def read(self) -> bytes:
        """Returns the contents."""
        return self.payload if isinstance(self.payload, bytes) else self.payload.read_bytes()


@dataclass(frozen=True, slots=True)
class Source:
    """The model that an artifact was made from.

    Attributes:
        name: A short name for reports.
        format: What it was imported from: `onnx`, `torch`, `keras`.
        path: The file, as the user named it.
        sha256: Hash of the file.
    """

    name: str
    format: str
    path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A converted model with all that is known of it.

    Attributes:
        backend: `coreml`, `onnx`, `tflite` or `tvm`.
        files: The model first, then what it needs beside it.
        source: The model it was made from.
        inputs: The source model's inputs: names, dtypes, shapes, order.
        outputs: The source model's outputs: names, dtypes, shapes, order.
        input_bindings: Where each input is found in the artifact, in the order of `inputs`.
        output_bindings: Where each output is found in the artifact, in the order of `outputs`.
        tensor_map: Where other tensors of the source model are found, by their names there.
        origins: The source nodes behind a tensor of the artifact, by its name in the artifact.
        recipe: The options of the conversion (JSON types).
        versions: Versions of the tools that took part, by name.
        certificate: What is proved of the layout, in one sentence.
        verification: The verdict, once there is one.
        diagnostics: Warnings and notes of the conversion.
    """

    backend: str
    files: tuple[ArtifactFile, ...]
    source: Source
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    input_bindings: tuple[Binding, ...]
    output_bindings: tuple[Binding, ...]
    tensor_map: Mapping[str, Binding] = field(default_factory=lambda: _NOTHING)
    origins: Mapping[str, Origin] = field(default_factory=lambda: _NOTHING)
    recipe: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    versions: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    certificate: str = ""
    verification: Verification | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("an artifact has at least one file")
        if len(self.inputs) != len(self.input_bindings) or len(self.outputs) != len(self.output_bindings):
            raise ValueError("every input and output of an artifact has one binding")

    @property
    def model_file(self) -> ArtifactFile:
        """The file that holds the model."""
        return self.files[0]

    @property
    def title(self) -> str:
        """What people call the model: its file, or the folder that is the package (`net.mlpackage`)."""
        return self.model_file.name.partition("/")[0]

    def with_verification(self, verification: Verification) -> Artifact:
        """Returns the same artifact with its verdict."""
        return replace(self, verification=verification)

    def save(self, directory: str | Path) -> Path:
        """Writes the files and `manifest.json` into a directory, all or nothing.

        Args:
            directory: Made, or replaced if it is an artifact already.

        Returns:
            The directory.

        Raises:
            EdgekitError: EK506 if it cannot be written, or is something else than an artifact.
        """
        from edgekit.artifact.store import save

        return save(self, Path(directory))

    @staticmethod
    def open(directory: str | Path) -> Artifact:
        """Reads an artifact back and checks every hash.

        Args:
            directory: The directory, or the `manifest.json` in it.

        Raises:
            EdgekitError: EK507 if anything is missing, damaged, changed or not an artifact.
        """
        from edgekit.artifact.store import open_artifact

        return open_artifact(Path(directory))


def hash_file(path: Path) -> str:
    """Returns the SHA-256 of a file in hex.

    Raises:
        OSError: If the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
