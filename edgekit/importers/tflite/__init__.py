"""TFLite graphs as graphs of the hub: one translation per builtin op, quantisation kept to the bit."""

from __future__ import annotations

from edgekit.importers.tflite.graph import translate

__all__ = ["translate"]
