"""What a model of the hub IR holds, as sections of a report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from edgekit.compat import macs
from edgekit.ir import Model, TensorSpec, dims_of, numpy_dtype, origin_of
from edgekit.report.model import Column, Fact, Facts, Kind, Row, Section, Subject, Table

FORMATS = {"onnx": "ONNX", "torch": "PyTorch", "keras": "Keras", "tflite": "TFLite"}
"""How formats are written."""

_STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"})
_SCOPE_DEPTH = 2


@dataclass(frozen=True, slots=True)
class Work:
    """A node and what it costs.

    Attributes:
        op: Its op, with the domain unless that is the default one.
        scope: Framework scope, empty where unknown.
        parameters: Elements of the constants that no earlier node uses.
        macs: Multiply-accumulate operations; `None` where unknown.
        custom: Whether neither the standard nor a function of the model defines the op.
    """

    op: str
    scope: str
    parameters: int
    macs: int | None
    custom: bool


def subject(model: Model) -> Subject:
    """Returns the model as the subject of a report."""
    path = model.path
    size = path.stat().st_size if path is not None and path.is_file() else None
    return Subject(
        model.name,
        FORMATS.get(model.source, model.source),
        None if path is None else str(path),
        model.sha256,
        size,
    )


def sections(model: Model) -> tuple[Section, ...]:
    """Describes a model.

    Args:
        model: Any model that an importer returned; it is not changed.

    Returns:
        Facts, inputs, outputs, ops, scopes, and ops that nobody defines.
    """
    graphs = list(_graphs(model.ir))
    batch = _batch_symbols(model)
    works = list(_works(_inferred(model.ir), batch))
    tensors = list(_constants(graphs))
    parts: list[Section] = [
        _facts(model, works, tensors, batch),
        ports("inputs", "Inputs", model.inputs),
        ports("outputs", "Outputs", model.outputs),
        ops_table(Counter(w.op for w in works), _macs_by_op(works), custom={w.op for w in works if w.custom}),
    ]
    scoped = _scopes(works)
    return (*parts, scoped) if scoped.rows else tuple(parts)


def summary(model: Model) -> str:
    """Returns the model in one line."""
    graphs = list(_graphs(model.ir))
    nodes = sum(1 for graph in graphs for _ in graph)
    parameters = sum(t.size for t in _constants(graphs))
    return f"`{model.name}` has {nodes:,} nodes and {parameters:,} parameters"


def ports(id: str, title: str, specs: Sequence[TensorSpec]) -> Table:
    """Returns a table of inputs or outputs."""
    columns = [Column("name", "name", Kind.NAME), Column("dtype", "dtype"), Column("shape", "shape")]
    rows: list[dict[str, Any]] = []
    for spec in specs:
        row = {"name": spec.name, "dtype": dtype_text(spec.dtype), "shape": shape_text(spec.shape)}
        if spec.quant is not None:
            row["quant"] = quant_text(spec)
        rows.append(row)
    if any("quant" in row for row in rows):
        columns.append(Column("quant", "quantisation"))
    return Table(id, title, tuple(columns), tuple(rows))


def ops_table(
    counts: Mapping[str, int], macs_by_op: Mapping[str, int | None], custom: Iterable[str] = ()
) -> Table:
    """Returns the histogram of ops, the most frequent first.

    Args:
        counts: How often each op occurs.
        macs_by_op: Multiply-accumulate operations of all its nodes; `None` where unknown.
        custom: Ops that nobody defines.
    """
    unknown = set(custom)
    known = sum(n for n in macs_by_op.values() if n)
    columns = [
        Column("op", "op", Kind.NAME),
        Column("count", "count", Kind.COUNT),
        Column("macs", "MACs", Kind.OPS),
        Column("share", "of all MACs", Kind.SHARE),
    ]
    if unknown:
        columns.append(Column("defined_by", "defined by"))
    rows: list[Row] = []
    for op, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        work = macs_by_op.get(op, 0)
        row: dict[str, Any] = {"op": op, "count": number, "macs": "unknown" if work is None else work or None}
        row["share"] = work / known if work and known else None
        row["defined_by"] = "nobody: a custom op" if op in unknown else "the standard or the model"
        rows.append(row)
    return Table("ops", "Ops", tuple(columns), tuple(rows))


def shape_text(shape: Sequence[Any] | None) -> str:
    """Returns a shape as people write it; `?` is an unknown size."""
    if shape is None:
        return "unknown rank"
    return "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def dtype_text(dtype: Any) -> str:
    """Returns the name of a dtype; the hub has strings and unknown dtypes as objects."""
    return "string" if dtype.kind == "O" else str(dtype)


def quant_text(spec: TensorSpec) -> str:
    """Returns the quantisation of a tensor in one line."""
    quant = spec.quant
    if quant is None:
        return ""
    if quant.axis is None and len(quant.scale) == 1:
        return f"scale {quant.scale[0]:.6g}, zero point {quant.zero_point[0]}"
    return f"{len(quant.scale)} scales on axis {quant.axis}"


def _facts(model: Model, works: Sequence[Work], tensors: Sequence[Any], batch: Iterable[str]) -> Facts:
    graph_model = model.ir
    opsets = ", ".join(f"{d or 'ai.onnx'} {v}" for d, v in sorted(graph_model.opset_imports.items()))
    producer = " ".join(filter(None, (graph_model.producer_name, graph_model.producer_version)))
    facts = [
        Fact("format", "format", FORMATS.get(model.source, model.source)),
        Fact("ir_version", "IR version", graph_model.ir_version, Kind.COUNT),
        Fact("opsets", "opsets", opsets),
        Fact("producer", "producer", producer or None),
        Fact("nodes", "nodes", len(works), Kind.COUNT),
        Fact("functions", "functions", len(graph_model.functions), Kind.COUNT),
        Fact("parameters", "parameters", sum(t.size for t in tensors), Kind.COUNT),
        Fact("parameter_bytes", "parameter bytes", sum(t.nbytes for t in tensors), Kind.SIZE),
        Fact("parameter_dtypes", "parameter dtypes", _dtypes(tensors)),
        *_macs_facts(works, batch),
        Fact("custom_ops", "custom ops", sum(w.custom for w in works), Kind.COUNT),
        Fact("sha256", "SHA-256", model.sha256, Kind.NAME),
    ]
    return Facts("model", "Model", tuple(f for f in facts if f.value is not None))


def _macs_facts(works: Sequence[Work], batch: Iterable[str]) -> list[Fact]:
    unknown = sum(w.macs is None for w in works)
    known = sum(w.macs or 0 for w in works)
    symbols = sorted(batch)
    if unknown and not known:
        return [Fact("macs", "MACs", "unknown")]
    facts = [Fact("macs", "MACs", known, Kind.OPS)]
    if symbols:
        facts.append(Fact("macs_assume", "MACs are for", ", ".join(f"{s} = 1" for s in symbols)))
    if unknown:
        facts.append(Fact("macs_missing", "MACs leave out", f"{unknown} nodes whose shapes are not known"))
    return facts


def _dtypes(tensors: Sequence[Any]) -> str | None:
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        sizes[dtype_text(numpy_dtype(tensor.dtype))] += tensor.nbytes
    total = sum(sizes.values())
    shares = (f"{name} {100 * size / total:.3g} %" for name, size in sizes.most_common() if size)
    return ", ".join(shares) if total else None


def _graphs(model: ir.Model) -> Iterator[Any]:
    yield from model.graphs()
    yield from model.functions.values()


def _constants(graphs: Iterable[Any]) -> Iterator[Any]:
    """Yields the tensors of all initializers and Constant nodes, each once."""
    seen: set[int] = set()
    for graph in graphs:
        for tensor in (*_initializers(graph), *_constant_nodes(graph)):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def _initializers(graph: Any) -> Iterator[Any]:
    for value in getattr(graph, "initializers", {}).values():
        if value.const_value is not None:
            yield value.const_value


def _constant_nodes(graph: Any) -> Iterator[Any]:
    for node in graph:
        value = node.attributes.get("value") if node.op_type == "Constant" else None
        if value is not None and value.type == ir.AttributeType.TENSOR:
            yield value.value


def _batch_symbols(model: Model) -> frozenset[str]:
    """Returns the symbols of first axes of the inputs, which stand for the batch size in most models."""
    firsts = (spec.shape[0] for spec in model.inputs if spec.shape)
    return frozenset(d for d in firsts if isinstance(d, str))


def _inferred(model: ir.Model) -> ir.Model:
    from onnx_ir.passes.common import ShapeInferencePass

    copy = model.clone()
    return ShapeInferencePass(check_type=False, strict_mode=False)(copy).model


def _works(model: ir.Model, batch: frozenset[str]) -> Iterator[Work]:
    counted: set[str] = set()
    functions = {(f.domain, f.name) for f in model.functions.values()}
    for graph in _graphs(model):
        for node in graph:
            constants = {
                v.name: v.const_value for v in node.inputs if v is not None and v.const_value is not None
            }
            fresh = {name: t for name, t in constants.items() if name not in counted}
            counted.update(name for name in fresh if name)
            defined = node.domain in _STANDARD or (node.domain, node.op_type) in functions
            yield Work(
                op=node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}",
                scope=origin_of(node).scope or "",
                parameters=sum(t.size for t in fresh.values()),
                macs=_macs(node, batch),
                custom=not defined,
            )


def _macs(node: ir.Node, batch: frozenset[str]) -> int | None:
    if node.domain not in ("", "ai.onnx"):
        return None
    if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
        return None  # how often a body runs is known only at run time; its nodes are listed once
    operation = macs.Operation(
        node.op_type,
        tuple(None if v is None else _sizes(v, batch) for v in node.inputs),
        tuple(_sizes(v, batch) for v in node.outputs),
        {name: a.value for name, a in node.attributes.items() if not a.is_ref()},
    )
    return macs.count(macs.ONNX, operation)


def _sizes(value: ir.Value, batch: frozenset[str]) -> macs.Sizes:
    dims = dims_of(value.shape)
    if dims is None:
        return None
    return tuple(d if isinstance(d, int) else 1 if d in batch else None for d in dims)


def _macs_by_op(works: Iterable[Work]) -> dict[str, int | None]:
    totals: dict[str, int | None] = {}
    for work in works:
        before = totals.get(work.op, 0)
        totals[work.op] = None if before is None or work.macs is None else before + work.macs
    return totals


def _scopes(works: Iterable[Work]) -> Table:
    groups: dict[str, list[Work]] = defaultdict(list)
    for work in works:
        if work.scope:
            groups[".".join(work.scope.split(".")[:_SCOPE_DEPTH])].append(work)
    rows: list[Row] = [
        {
            "scope": scope,
            "nodes": len(group),
            "parameters": sum(w.parameters for w in group),
            "macs": "unknown" if any(w.macs is None for w in group) else sum(w.macs or 0 for w in group),
        }
        for scope, group in groups.items()
    ]
    columns = (
        Column("scope", "scope", Kind.NAME),
        Column("nodes", "nodes", Kind.COUNT),
        Column("parameters", "parameters", Kind.COUNT),
        Column("macs", "MACs", Kind.OPS),
    )
    return Table("scopes", "Scopes", columns, tuple(rows), detail=True)


__all__ = ["FORMATS", "ops_table", "ports", "sections", "subject", "summary"]
