"""Artifacts: the files of a converted model, their manifest, and the verdict on them."""

from edgekit.artifact.types import Artifact, ArtifactFile, Binding, Source, hash_file
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
    "Delta",
    "Divergence",
    "Evidence",
    "LayerDelta",
    "Source",
    "Status",
    "Verdict",
    "Verification",
    "hash_file",
    "not_verified",
]
