"""The protobuf classes of Core ML's specification.

They are loaded from the folder of coremltools without running coremltools itself, which would import
TensorFlow and PyTorch where they are installed (seconds instead of a tenth).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, missing_package

_ALIAS = "edgekit_coreml_proto"
"""The name under which the folder is imported; protobuf itself keeps one class for each message."""


def parse_model(data: bytes) -> Any:
    """Parses a specification.

    Args:
        data: The contents of a `.mlmodel` file.

    Returns:
        The message `CoreML.Specification.Model`.

    Raises:
        EdgekitError: EK501 without coremltools.
        ValueError: If the bytes are no such message.
    """
    module = _module("Model_pb2")
    message = module.Model()
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(data)
    except DecodeError as problem:
        raise ValueError(str(problem)) from problem
    return message


def enum_name(file: str, path: str, number: int) -> str:
    """Returns the name of a number of an enumeration, `#<number>` if it has none.

    Args:
        file: The module, such as `MIL_pb2`.
        path: The enumeration in it, such as `ArrayFeatureType.ArrayDataType`.
        number: The number.
    """
    holder: Any = _module(file)
    *outer, last = path.split(".")
    for name in outer:
        holder = getattr(holder, name)
    value = holder.DESCRIPTOR.enum_types_by_name[last].values_by_number.get(number)
    return f"#{number}" if value is None else str(value.name)


def _module(name: str) -> Any:
    if _ALIAS not in sys.modules:
        package = types.ModuleType(_ALIAS)
        package.__path__ = [str(_folder())]
        sys.modules[_ALIAS] = package
    try:
        return importlib.import_module(f"{_ALIAS}.{name}")
    except ImportError as problem:
        raise _missing() from problem


def _folder() -> Path:
    spec = importlib.util.find_spec("coremltools")
    if spec is None or not spec.submodule_search_locations:
        raise _missing()
    return Path(spec.submodule_search_locations[0], "proto")


def _missing() -> EdgekitError:
    return missing_package("coremltools", "coreml", "reading a Core ML package")
