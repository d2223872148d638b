"""Reading what this backend writes; see `edgekit.tflite.reader`."""

from __future__ import annotations

from edgekit.tflite.reader import read_tflite

__all__ = ["read_tflite"]
