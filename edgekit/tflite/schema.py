"""The flatbuffer schema of TFLite, as LiteRT ships it."""

from __future__ import annotations

from typing import Any

from edgekit.diagnostics import missing_package

FILE_IDENTIFIER = b"TFL3"


def tflite_schema() -> Any:
    """Returns LiteRT's generated schema classes.

    Raises:
        EdgekitError: EK501 if LiteRT is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        raise missing_package("ai-edge-litert", "all", "reading and writing TFLite") from None
    return schema_py_generated
