"""What a conversion made of a model, as sections of a report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact, Binding, Verification, not_verified
from edgekit.consistency import verdict_diagnostics
from edgekit.diagnostics import Diagnostic, Severity
from edgekit.ir import Model, Origin, TensorSpec, origin_of
from edgekit.report.describe import quantization
from edgekit.report.describe import verification as verdicts
from edgekit.report.describe.emitted import EmittedOp, emitted_ops
from edgekit.report.describe.model import FORMATS, dtype_text, shape_text
from edgekit.report.describe.model import subject as model_subject
from edgekit.report.model import (
    Column,
    Fact,
    Facts,
    Kind,
    Prose,
    Report,
    Row,
    Section,
    Subject,
    Table,
    VerdictStatus,
)

_BACKENDS = {"tflite": "TFLite", "onnx": "ONNX", "coreml": "Core ML", "tvm": "TVM"}


REPORT_NAME = "report.json"
"""Name of the report in an artifact's folder."""


def report(
    artifact: Artifact,
    model: Model | None,
    *,
    folder: Path,
    path: str | None = None,
    wanted: bool = True,
    command: str = "convert",
) -> Report:
    """Returns the report on an artifact.

    Args:
        artifact: The artifact.
        model: The model it was made from, where it is at hand; then every source node is listed.
        folder: Where the artifact lies.
        path: The source as the user named it.
        wanted: Whether verification was asked for.
        command: The command that made it.
    """
    verification = artifact.verification or not_verified("its manifest holds no verdict")
    verdict = verdicts.verdict(verification, artifact.title, wanted=wanted)
    if verdict.status is not VerdictStatus.FAILED:
        verdict = quantization.over_budget(artifact) or verdict
    about = model_subject(model) if model else _subject(artifact)
    return Report(
        command,
        replace(about, path=path or about.path),
        verdict,
        sections(artifact, model, folder),
        verdicts.checks(verification),
        (*artifact.diagnostics, *_judged(verification, wanted)),
        _environment(artifact, verification),
    )


def _judged(verification: Verification, wanted: bool) -> tuple[Diagnostic, ...]:
    """Returns what the verdict gives to say; that nothing was checked is no news where it was asked for."""
    found = verdict_diagnostics(verification)
    return found if wanted else tuple(replace(d, severity=Severity.NOTE) for d in found)


def _environment(artifact: Artifact, verification: Verification) -> dict[str, str]:
    versions = dict(artifact.versions)
    for name in (verification.oracle, verification.runner):
        tool, _, version = (name or "").partition(" ")
        if version:
            versions[tool] = version
    return versions


def _subject(artifact: Artifact) -> Subject:
    source = artifact.source
    return Subject(source.name, FORMATS.get(source.format, source.format), source.path, source.sha256)


def sections(artifact: Artifact, model: Model | None, folder: Path) -> tuple[Section, ...]:
    """Describes an artifact.

    Args:
        artifact: The artifact.
        model: The model it was made from, where it is at hand.
        folder: Where the artifact lies.

    Returns:
        Files, verification, layout, what the passes changed, and which source nodes became which ops.
    """
    ops = list(emitted_ops(artifact))
    parts: list[Section] = [_summary(artifact, ops, model, folder)]
    if artifact.verification is not None:
        parts += verdicts.sections(artifact.verification)
    if "quantization" in artifact.recipe:
        parts += quantization.sections(artifact.recipe["quantization"])
    if "compression" in artifact.recipe:
        parts.append(quantization.compression(artifact.recipe["compression"]))
    if "compiled" in artifact.recipe:
        parts.append(_compiled(artifact.recipe["compiled"]))
    if artifact.certificate:
        parts.append(Prose("layout", "Layout", artifact.certificate))
    nodes = _source_nodes(model) if model is not None else {}
    parts += [_emitted(ops, nodes), _files(artifact)]
    passes = artifact.recipe.get("passes")
    if passes:
        parts.append(_passes(passes))
    if nodes:
        parts.append(_nodes(ops, nodes))
    parts.append(_bindings(artifact))
    parts.append(_recipe(artifact.recipe))
    return tuple(parts)


def _summary(artifact: Artifact, ops: Sequence[EmittedOp], model: Model | None, folder: Path) -> Facts:
    facts = [
        Fact("source", "source", f"{artifact.source.name} ({FORMATS.get(artifact.source.format, '?')})"),
        Fact("backend", "backend", _BACKENDS.get(artifact.backend, artifact.backend)),
        Fact("source_nodes", "source nodes", model.ir.graph.num_nodes() if model else None, Kind.COUNT),
        Fact("ops", "ops in the artifact", len(ops), Kind.COUNT),
        Fact("tuned", "tuned functions", _tuned(artifact.recipe), Kind.COUNT),
        Fact("size", "size", sum(f.size for f in artifact.files), Kind.SIZE),
        Fact("artifact", "artifact", str(folder / artifact.title), Kind.NAME),
        Fact("report", "report", str(folder / REPORT_NAME), Kind.NAME),
    ]
    return Facts("artifact", "Conversion", tuple(f for f in facts if f.value is not None))


def _tuned(recipe: Mapping[str, Any]) -> int | None:
    """Returns how many functions have a schedule that was measured; `None` without a log of tuning."""
    tuning = recipe.get("tuning")
    return None if tuning is None else tuning["functions"]


def _compiled(made: Mapping[str, Any]) -> Facts:
    """What the target's own compiler made; its figures are estimates of its own."""
    ops, figures = made["ops"], made["figures"]
    cycles, clock = figures.get("cycles_total"), figures.get("core_clock")
    facts = [
        Fact("compiler", "compiler", f"{made['tool']} {made['version']}"),
        Fact("configuration", "configuration", made["configuration"], Kind.NAME),
        Fact("accelerated", "ops on the accelerator", ops.get("npu", 0), Kind.COUNT),
        Fact("cpu", "ops on the CPU", ops.get("cpu", 0), Kind.COUNT),
        Fact("cycles", "cycles (estimated)", None if cycles is None else int(cycles), Kind.COUNT),
        Fact("time", "time (estimated)", cycles / clock if cycles and clock else None, Kind.SECONDS),
        Fact("files", "files", list(made["files"]), Kind.NAMES),
    ]
    return Facts("compiled", "Compiled for the target", tuple(f for f in facts if f.value is not None))


def _files(artifact: Artifact) -> Table:
    columns = (
        Column("name", "file", Kind.NAME),
        Column("size", "size", Kind.SIZE),
        Column("sha256", "SHA-256", Kind.NAME),
    )
    rows: tuple[Row, ...] = tuple(
        {"name": f.name, "size": f.size, "sha256": f.sha256} for f in artifact.files
    )
    return Table("files", "Files", columns, rows)


def _passes(passes: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("name", "pass", Kind.NAME),
        Column("changed", "changes", Kind.COUNT),
        Column("summary", "what"),
    )
    rows = tuple({key: p.get(key) for key in ("name", "changed", "summary")} for p in passes)
    return Table("passes", "Passes", columns, rows, detail=True)


def _source_nodes(model: Model) -> dict[str, tuple[str, Origin]]:
    """Returns op and origin of the nodes of the main graph, by the id that artifacts refer to."""
    found: dict[str, tuple[str, Origin]] = {}
    for node in model.ir.graph:
        origin = origin_of(node)
        op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        for id in origin.nodes:  # of a TFLite file: `CONV_2D#7`
            own = id.partition("#")[0] if model.source == "tflite" else op
            found[id] = own, origin
    return found


def _emitted(ops: Sequence[EmittedOp], nodes: Mapping[str, tuple[str, Origin]]) -> Table:
    counts = Counter(op.op for op in ops)
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    for op in ops:
        sources[op.op].update(nodes[n][0] for n in op.origin.nodes if n in nodes)
    columns = [Column("op", "op", Kind.NAME), Column("count", "count", Kind.COUNT)]
    if nodes:
        columns.append(Column("sources", "made from", Kind.NAMES))
    rows: list[Row] = [
        {"op": op, "count": n, "sources": [s for s, _ in sources[op].most_common()]}
        for op, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Table("emitted", "Ops of the artifact", tuple(columns), tuple(rows))


def _nodes(ops: Sequence[EmittedOp], nodes: Mapping[str, tuple[str, Origin]]) -> Table:
    made: dict[str, list[str]] = defaultdict(list)
    for op in ops:
        for node in op.origin.nodes:
            made[node].append(op.op)
    columns = [Column("node", "node", Kind.NAME), Column("op", "op", Kind.NAME)]
    columns.append(Column("emitted", "became", Kind.NAMES))
    if any(origin.scope for _, origin in nodes.values()):
        columns.append(Column("scope", "scope", Kind.NAME))
    if any(origin.file for _, origin in nodes.values()):
        columns.append(Column("at", "at", Kind.NAME))
    rows: list[Row] = [
        {
            "node": id,
            "op": op,
            "emitted": made.get(id, []),
            "scope": origin.scope,
            "at": f"{Path(origin.file).name}:{origin.line}" if origin.file else None,
        }
        for id, (op, origin) in nodes.items()
    ]
    note = "a node that became nothing was folded into a constant, or no output needs it"
    return Table("nodes", "Source nodes", tuple(columns), tuple(rows), note, detail=True)


def _bindings(artifact: Artifact) -> Table:
    columns = (
        Column("port", "port"),
        Column("name", "source tensor", Kind.NAME),
        Column("dtype", "dtype"),
        Column("shape", "shape"),
        Column("tensor", "artifact tensor", Kind.NAME),
        Column("change", "in the artifact"),
    )
    rows = (
        *_ports("input", artifact.inputs, artifact.input_bindings),
        *_ports("output", artifact.outputs, artifact.output_bindings),
    )
    return Table("bindings", "Inputs and outputs", columns, rows, detail=True)


def _ports(port: str, specs: Sequence[TensorSpec], bindings: Sequence[Binding]) -> Iterator[Row]:
    for spec, binding in zip(specs, bindings, strict=True):
        changes = []
        if binding.perm is not None:
            changes.append(f"axes {list(binding.perm)}")
        if binding.dtype != spec.dtype:
            changes.append(dtype_text(binding.dtype))
        if binding.picture is not None:
            changes.append(f"a picture, {binding.picture.colour}")
        if binding.classes is not None:
            classes = binding.classes
            changes.append(f"scores of {len(classes.names)} labels, the highest in `{classes.label}`")
        if binding.state:
            changes.append("a state")
        yield {
            "port": port,
            "name": spec.name,
            "dtype": dtype_text(spec.dtype),
            "shape": shape_text(spec.shape),
            "tensor": binding.tensor,
            "change": ", ".join(changes) or "as in the source",
        }


def _recipe(recipe: Mapping[str, Any]) -> Facts:
    facts = (
        Fact(key, key.replace("_", " "), value if isinstance(value, (str, int, float)) else str(value))
        for key, value in recipe.items()
        if key not in ("passes", "labels", "quantization", "compression", "compiled", "tuning")
        and value is not None
    )
    return Facts("recipe", "Recipe", tuple(facts), detail=True)
