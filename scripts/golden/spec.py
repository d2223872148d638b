"""What a golden model is made of: data sources, datasets, inputs, recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DataSource:
    """One data set (or photograph) and the terms under which it is used.

    Attributes:
        name: title of the work.
        package: PyPI distribution whose wheel carries the data.
        licence: SPDX identifier, or `public domain`.
        creators: whom to credit.
        source: where the work was first published.
    """

    name: str
    package: str
    licence: str
    creators: str
    source: str

    @property
    def package_version(self) -> str:
        """The installed version of `package`, the one the data came from."""
        return version(self.package)


@dataclass(frozen=True, slots=True)
class Split:
    """Inputs with their labels; the first axis of both counts the samples."""

    inputs: FloatArray
    labels: IntArray


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a model learns from, and what it has never seen."""

    train: Split
    held_out: Split


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a model.

    Attributes:
        name: the tensor's name in the ONNX file.
        shape: dimensions in order; `N` is a symbolic batch.
        meaning: axes and values, for a reader of the card.
    """

    name: str
    shape: tuple[int | str, ...]
    meaning: str

    @property
    def batch(self) -> int | str:
        """The leading dimension: 1, or `N` when symbolic."""
        return self.shape[0]


@dataclass(frozen=True, slots=True)
class Metric:
    """How accuracy is measured.

    `score` takes the model's outputs, in the order of its ports, and the labels.
    """

    name: str
    definition: str
    score: Callable[[list[FloatArray], IntArray], float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """All it takes to make one golden model.

    `train` learns from the training split and writes `model.onnx`, and the framework's own
    file beside it, into the folder it is given. Accuracy, samples and card follow from
    `model.onnx` alone, so they describe the file that ships.
    """

    id: str
    title: str
    task: str
    seed: int
    sources: tuple[DataSource, ...]
    split: str
    preprocessing: str
    labels: str
    input: Port
    outputs: tuple[Port, ...]
    metric: Metric
    tools: tuple[str, ...]
    data: Callable[[int], Dataset]
    train: Callable[[Recipe, Dataset, Path], None]
