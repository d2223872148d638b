"""Calibration data that is read when it is needed: folders of files, and functions that yield samples."""

from edgekit.consistency.data.folder import folder_samples
from edgekit.consistency.data.generator import is_function, yielded_samples
from edgekit.consistency.data.preprocess import Preprocess

__all__ = ["Preprocess", "folder_samples", "is_function", "yielded_samples"]
