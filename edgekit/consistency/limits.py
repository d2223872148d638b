"""What an artifact takes of its source's inputs, where that is less than the source takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.artifact import Artifact, Picture, Sizes


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of inputs, by their names in the source model.

    Attributes:
        pictures: Inputs that are pictures.
        sizes: Inputs whose shapes are limited.
    """

    pictures: Mapping[str, Picture] = field(default_factory=dict)
    sizes: Mapping[str, Sizes] = field(default_factory=dict)

    @property
    def shapes(self) -> int:
        """How many samples show every shape that is listed."""
        return max((len(s.choices) for s in self.sizes.values()), default=0)


def limits_of(artifact: Artifact) -> Limits:
    """Returns the limits of an artifact's inputs."""
    pairs = list(zip(artifact.inputs, artifact.input_bindings, strict=True))
    return Limits(
        {spec.name: b.picture for spec, b in pairs if b.picture is not None},
        {spec.name: b.sizes for spec, b in pairs if b.sizes is not None},
    )
