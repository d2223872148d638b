"""Converts one model, verifies it in every way that is possible for it, and returns plain data (JSON)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpus import exact, opinions
from corpus.recorded import recorded
from edgekit import api
from edgekit.artifact import Artifact, Delta, Verification
from edgekit.consistency.generate import Generator
from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.oracle import Oracle
from edgekit.consistency.tolerance import default_tolerance, dtype_text
from edgekit.consistency.verify import verify
from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.report.describe.emitted import emitted_ops
from edgekit.runners.execute import ArtifactRunner

LIMIT = 1e-4
"""Largest error accepted, as a fraction of an output's range."""
_GENERATED = 8
"""Samples of seeded data for the comparisons that `convert` does not make itself."""

Array = NDArray[Any]
Sample = Mapping[str, Array]
Row = dict[str, Any]


def measure(folder: Path, path: Path) -> Row:
    """Converts and verifies one model.

    Args:
        folder: The corpus.
        path: A model in it.

    Returns:
        `failure` with the code and the text, or what was made and every comparison with its numbers.
    """
    seconds = _Seconds()
    try:
        seconds("import")
        model = api.load(path)
        artifact = api.convert(model, "tflite", progress=seconds)
        seconds(None)
    except EdgekitError as problem:
        first = problem.diagnostics[0]
        return {"failure": {"code": first.code, "text": first.message, "notes": first.notes}}
    assert artifact.verification is not None
    ops = Counter(node.op_type for node in model.ir.graph.all_nodes())
    quantised = any("Quantize" in op or op.startswith("QLinear") or "Integer" in op for op in ops)
    comparisons = [_verified("seeded", artifact.verification), *_more(folder, path, model, artifact)]
    differs = not all(row["holds"] for row in comparisons)
    return {
        "quantised": quantised,
        "loader": model.ir.metadata_props.get("edgekit.import.loader"),
        "nodes": dict(ops),
        "ops": dict(Counter(op.op for op in emitted_ops(artifact))),
        "certificate": artifact.certificate,
        "seconds": seconds.spent,
        "comparisons": comparisons,
        "exact": _exact(folder, path, model, artifact) if differs and not quantised else None,
        "opinion": _opinion(folder, path, model, artifact),
    }


class _Seconds:
    """Adds up the time of each stage; called as a stage starts."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._stage: str | None = None
        self._start = 0.0

    def __call__(self, stage: str | None) -> None:
        now = time.perf_counter()
        if self._stage is not None:
            self.spent[self._stage] = self.spent.get(self._stage, 0.0) + now - self._start
        self._stage, self._start = stage, now


def _more(folder: Path, path: Path, model: Model, artifact: Artifact) -> list[Row]:
    """Compares on recorded inputs, and with TensorFlow for what came from it."""
    rows = []
    found = recorded(folder, path)
    if found is not None:
        title, arrays = found
        rows.append(_verified(title, verify(model, artifact, inputs=_named(model, arrays))))
    if model.source == "keras":
        samples = _samples(folder, path, model)
        with ArtifactRunner(artifact) as runner:
            actual = [runner.run(sample) for sample in samples]
        deltas = _compared(opinions.tensorflow(path, samples), actual)
        title = "seeded" if found is None else f"seeded, and {found[0]}"
        rows.append(_row(title, "TensorFlow", deltas, len(samples)))
    return rows


def _exact(folder: Path, path: Path, model: Model, artifact: Artifact) -> Row:
    """Compares the artifact with the source in float64, and the source in float32 with that too."""
    samples = _samples(folder, path, model)
    truth = [
        {name: array.astype(np.float32) for name, array in outputs.items()}
        for outputs in exact.run(model.to_proto(), samples)
    ]
    with ArtifactRunner(artifact) as runner:
        ours = _compared(truth, [runner.run(sample) for sample in samples])
    with Oracle(model, isolate=True, timeout_s=300) as oracle:
        oracle.load()
        source = _compared(truth, [oracle.run(sample) for sample in samples])
    row = _row("all of these", "the source in float64", ours, len(samples))
    return row | {"source": _row("", oracle.name, source, len(samples))["outputs"]}


def _opinion(folder: Path, path: Path, model: Model, artifact: Artifact) -> Row | None:
    """Lays the artifact beside the `.tflite` that the model's authors published."""
    other = opinions.published_tflite(path)
    if other is None:
        return None
    samples = [s for s in _samples(folder, path, model) if all(len(a) == 1 for a in s.values())]
    with ArtifactRunner(artifact) as runner:
        ours = [runner.run(sample) for sample in samples]
    theirs = opinions.litert(other, samples, ours)
    oracle = f"`{other.relative_to(folder)}` in LiteRT"
    shared = opinions.shared_weights(other, artifact.model_file.read())
    return _row("", oracle, _compared(theirs, ours), len(samples)) | {"weights": shared}


def _samples(folder: Path, path: Path, model: Model) -> list[Sample]:
    """Returns seeded samples, one by one, and the recorded ones."""
    generator = Generator(model)
    inner = next(generator.inner_sizes())
    seeded = [generator.sample(i, generator.sizes(0, inner)) for i in range(_GENERATED)]
    found = recorded(folder, path)
    return seeded if found is None else seeded + _named(model, found[1])


def _named(model: Model, samples: Sequence[Sequence[Array]]) -> list[Sample]:
    names = [spec.name for spec in model.inputs]
    return [dict(zip(names, arrays, strict=True)) for arrays in samples]


def _compared(references: Sequence[Sample], actual: Sequence[Sample]) -> list[Delta]:
    deltas = []
    for name in references[0]:
        pairs = [(r[name], a.get(name)) for r, a in zip(references, actual, strict=True)]
        deltas.append(compare_tensor(name, pairs, default_tolerance(dtype_text(pairs[0][0].dtype))))
    return deltas


def _verified(inputs: str, verification: Verification) -> Row:
    row = _row(inputs, verification.oracle, verification.deltas, verification.samples)
    first = verification.first_divergence
    return row | {
        "verdict": str(verification.verdict),
        "reason": verification.reason,
        "first": first and f"`{first.tensor}` ({first.op_type}): {first.delta.reason}",
        "notes": [*row["notes"], *verification.notes],
    }


def _row(inputs: str, oracle: str | None, deltas: Sequence[Delta], samples: int) -> Row:
    relative = [d.relative for d in deltas]
    holds = all(d.status.holds and d.relative is not None and d.relative <= LIMIT for d in deltas)
    return {
        "inputs": inputs,
        "oracle": oracle,
        "samples": samples,
        "holds": bool(deltas) and holds,
        "outputs": [
            {"name": d.tensor, "status": str(d.status), "relative": r, "max_abs": d.max_abs}
            | {"low": d.low, "high": d.high, "sqnr_db": d.sqnr_db, "reason": d.reason}
            for d, r in zip(deltas, relative, strict=True)
        ],
        "notes": [f"`{d.tensor}`: {note}" for d in deltas for note in d.notes],
    }
