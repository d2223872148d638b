"""What the configuration file may hold. This is the only module that imports pydantic for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PATHS = ("inputs", "label_file", "ndk", "tuning_log")
"""Settings that name a file; a relative one is meant from the folder of the configuration file."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Convert(_Strict):
    """Defaults of `edgekit convert`.

    Loading files that may run code (`--allow-pickle`) has no setting on purpose: a project that was
    cloned must not be able to switch it on.
    """

    backend: Literal["tflite", "onnx", "coreml", "tvm"] | None = None
    io_layout: Literal["source", "nhwc"] | None = None
    opset: int | None = Field(default=None, ge=7)
    fp16: bool | None = None
    verify: bool | None = None
    tolerance: float | None = Field(default=None, ge=0)
    allow_approximate: bool | None = None
    inputs: str | None = None
    label_file: str | None = None
    minimum_deployment_target: str | None = None
    precision: Literal["fp16", "fp32", "mixed"] | None = None
    keep_fp32: list[str] | None = None
    image_input: list[str] | None = None
    classifier: str | None = None
    flexible_shape: list[str] | None = None
    state: list[str] | None = None
    compress_weights: str | None = None
    triple: str | None = None
    mcpu: str | None = None
    ndk: str | None = None
    tvm_target: str | None = None
    tune: float | None = Field(default=None, gt=0)
    tuning_log: str | None = None


class Settings(_Strict):
    """The top level of `edgekit.toml`, or `[tool.edgekit]`."""

    format: Literal["text", "json", "md", "junit", "github", "sarif"] | None = None
    color: Literal["auto", "always", "never"] | None = None
    targets: list[str] | None = None
    convert: Convert | None = None

    @classmethod
    def command_names(cls) -> tuple[str, ...]:
        """Returns the names of the tables that belong to one command."""
        return tuple(name for name in cls.model_fields if _table_type((name,)) is not None)


def _table_type(keys: Sequence[str]) -> type[_Strict] | None:
    tables: dict[tuple[str, ...], type[_Strict]] = {(): Settings, ("convert",): Convert}
    return tables.get(tuple(keys))


def known_keys(keys: Sequence[str]) -> list[str]:
    """Returns the settings that exist in a table, given by its path."""
    table = _table_type(keys)
    return list(table.model_fields) if table else []
