"""`Binding`: how a tensor of the source model is found in an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.ir import Quant


@dataclass(frozen=True, slots=True)
class Picture:
    """An input of the artifact that takes a picture: `source_tensor = scale * pixel + bias`.

    Attributes:
        scale: A factor for each channel, in the source's order of channels.
        bias: Added to each channel, in the same order.
        colour: The source's order of channels: `RGB`, `BGR`, `GRAYSCALE`, or `GRAYSCALE_FLOAT16`, whose
            pixels are float16 and not bytes.
    """

    scale: tuple[float, ...]
    bias: tuple[float, ...]
    colour: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """The shapes that an input of the artifact takes, where the source takes more.

    Attributes:
        choices: Shapes of which it must be one; empty if the ranges say it.
        ranges: Lowest and highest size by axis, `None` where it is as the source says.
    """

    choices: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int] | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Classes:
    """An output of the artifact that is a dictionary of scores by label.

    Attributes:
        label: The output that names the class with the highest score.
        names: The labels, in the order of the source's elements.
    """

    label: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """How a tensor of the source model is found in the artifact.

    Attributes:
        tensor: Its name in the artifact.
        dtype: Its dtype in the artifact.
        perm: `artifact_tensor = source_tensor.transpose(perm)`; `None` where nothing is permuted.
        boxed: Whether the artifact keeps a number (rank 0) as one element of rank 1.
        quant: What its integers stand for, where the source has reals.
        picture: How its pixels become the source's numbers, where it is a picture.
        sizes: Which shapes it takes, where the source takes more.
        classes: Its labels, where it is a dictionary.
        state: Whether the artifact itself keeps it from one run to the next.
        shift: What the source's integers are more than the artifact's: 128 for uint8 kept as int8.
    """

    tensor: str
    dtype: np.dtype[Any]
    perm: tuple[int, ...] | None = None
    boxed: bool = False
    quant: Quant | None = None
    picture: Picture | None = None
    sizes: Sizes | None = None
    classes: Classes | None = None
    state: bool = False
    shift: int = 0
