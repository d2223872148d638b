"""Artifacts: the files of a converted model, their manifest, and the verdict on them."""

from edgekit.artifact.binding import Binding, Classes, Picture, Sizes
from edgekit.artifact.types import Artifact, ArtifactFile, Source, hash_file
from edgekit.artifact.verification import (
    Delta,
    Divergence,
    Evidence,
    LayerDelta,
    Status,
    Verdict,
    Verification,
    not_verified,
)

__all__ = [
    "Artifact",
    "ArtifactFile",
    "Binding",
    "Classes",
    "Delta",
    "Divergence",
    "Evidence",
    "LayerDelta",
    "Picture",
    "Sizes",
    "Source",
    "Status",
    "Verdict",
    "Verification",
    "hash_file",
    "not_verified",
]
