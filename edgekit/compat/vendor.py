"""Compiles an artifact with the toolchain of its target, and keeps what the toolchain made and said."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.artifact import Artifact, ArtifactFile
from edgekit.compat.oracle import ACCELERATOR, Opinion, Oracle, compiler_of, oracle_for
from edgekit.diagnostics import Diagnostic, Severity, Where
from edgekit.ir import Origin
from edgekit.target import Target

RECIPE_KEY = "compiled"
"""Where the manifest's recipe tells of the compilation."""


def compiled(artifact: Artifact, target: Target, oracle: Oracle | None = None) -> Artifact:
    """Adds what a target's compiler makes of an artifact.

    Args:
        artifact: The artifact in the target's dialect; its verdict is on the file before compilation.
        target: The target.
        oracle: The compiler; by default that of the target's toolchain.

    Returns:
        The artifact, with `<model>_<tool>.tflite`, with every layer and figure in `<model>_<tool>.json`, and
        with a summary in its recipe. As it is, if edgekit knows no compiler for the toolchain.

    Raises:
        EdgekitError: EK501 if the compiler is not installed, else as `Oracle.opinion`.
    """
    name = compiler_of(target.toolchain.name)
    if name is None and oracle is None:
        return artifact
    tool = oracle or oracle_for(name or "")
    with tempfile.TemporaryDirectory(prefix="edgekit-compile-") as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(artifact.model_file.read())
        opinion = tool.opinion(path, target.id)
    return _packed(artifact, target, opinion)


def _packed(artifact: Artifact, target: Target, opinion: Opinion) -> Artifact:
    stem = f"{PurePosixPath(artifact.model_file.name).stem}_{opinion.oracle}"
    files = [ArtifactFile.of(f"{stem}.json", json.dumps(_details(opinion), indent=1).encode())]
    if opinion.compiled is not None:
        files.insert(0, ArtifactFile.of(f"{stem}.tflite", opinion.compiled))
    left = _left(artifact, target, opinion)
    summary = {
        "tool": opinion.oracle,
        "version": opinion.version,
        "target": target.id,
        "configuration": opinion.configuration,
        "files": [file.name for file in files],
        "ops": dict(Counter(p.unit for p in opinion.placements)),
        "figures": dict(opinion.figures),
    }
    return replace(
        artifact,
        files=(*artifact.files, *files),
        recipe={**artifact.recipe, "target": target.id, RECIPE_KEY: summary},
        versions={**artifact.versions, target.toolchain.name: opinion.version},
        diagnostics=(*artifact.diagnostics, *left),
    )


def _details(opinion: Opinion) -> Mapping[str, Any]:
    placed = [
        {"tensor": p.name, "op": p.op, "unit": p.unit, **({"reason": p.reason} if p.reason else {})}
        for p in opinion.placements
    ]
    return {
        "tool": opinion.oracle,
        "version": opinion.version,
        "configuration": opinion.configuration,
        "placements": placed,
        "layers": [layer.to_dict() for layer in opinion.layers],
        "figures": dict(opinion.figures),
    }


def _left(artifact: Artifact, target: Target, opinion: Opinion) -> tuple[Diagnostic, ...]:
    """Warns of what the compiler leaves to the CPU, one message per reason."""
    causes: dict[tuple[str, str], list[str]] = {}
    for placement in opinion.placements:
        if placement.unit != ACCELERATOR:
            causes.setdefault((placement.op, placement.reason), []).append(placement.name)
    return tuple(
        Diagnostic(
            "EK523",
            f"{opinion.oracle} leaves {len(names)} `{op}` off `{target.id}`",
            severity=Severity.WARNING,
            where=_where(artifact, names),
            notes=(f"it says: {reason}",) if reason else (),
            help="`edgekit check` tells which rule fails and what to do",
            data={"tensors": names[:50], "reason": reason},
        )
        for (op, reason), names in causes.items()
    )


def _where(artifact: Artifact, tensors: list[str]) -> Where:
    origins = [artifact.origins.get(name, Origin()) for name in tensors]
    nodes = tuple(dict.fromkeys(node for origin in origins for node in origin.nodes))
    first = next((o for o in origins if o.file is not None), Origin())
    return Where(first.file, first.line, nodes, first.scope)
