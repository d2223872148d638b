"""What a TFLite file holds, as sections of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.compat import macs
from edgekit.ir import TensorSpec
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph, Value
from edgekit.report.describe.model import dtype_text, ops_table, ports
from edgekit.report.model import Fact, Facts, Kind, Section


@dataclass(frozen=True, slots=True)
class _Graphs:
    """All ops of a file, those of nested graphs included, and all tensors that they touch."""

    ops: tuple[Emitted, ...]
    values: tuple[Value, ...]


def sections(lowered: Lowered, facts: Iterable[Fact] = ()) -> tuple[Section, ...]:
    """Describes a TFLite file.

    Args:
        lowered: The file as read.
        facts: What else is known of it, put first.

    Returns:
        Facts, inputs, outputs and ops.
    """
    graphs = _graphs(lowered.main)
    work = _macs(graphs.ops)
    return (
        _facts(graphs, work, facts),
        ports("inputs", "Inputs", _specs(lowered.main, lowered.main.inputs)),
        ports("outputs", "Outputs", _specs(lowered.main, lowered.main.outputs)),
        ops_table(
            Counter(op.op for op in graphs.ops),
            work,
            custom={op.op for op in graphs.ops if op.op.startswith("CUSTOM")},
        ),
    )


def summary(lowered: Lowered, name: str) -> str:
    """Returns the file in one line."""
    graphs = _graphs(lowered.main)
    parameters = sum(v.data.size for v in graphs.values if v.data is not None)
    return f"`{name}` has {len(graphs.ops):,} ops and {parameters:,} parameters"


def _graphs(main: Subgraph) -> _Graphs:
    ops: list[Emitted] = []
    values: dict[Value, None] = {}
    pending = [main]
    while pending:
        graph = pending.pop()
        values.update(dict.fromkeys((*graph.inputs, *graph.outputs)))
        for op in graph.ops:
            ops.append(op)
            values.update(dict.fromkeys(v for v in (*op.inputs, *op.outputs) if v is not None))
            pending += [a for a in op.attrs.values() if isinstance(a, Subgraph)]
    return _Graphs(tuple(ops), tuple(values))


def _facts(graphs: _Graphs, work: dict[str, int | None], facts: Iterable[Fact]) -> Facts:
    constants = [v.data for v in graphs.values if v.data is not None]
    quantised = [v for v in graphs.values if v.quant is not None and v.quant.scale]
    known = sum(n or 0 for n in work.values())
    unknown = sorted(op for op, n in work.items() if n is None)
    found = [
        *facts,
        Fact("ops", "ops", len(graphs.ops), Kind.COUNT),
        Fact("tensors", "tensors", len(graphs.values), Kind.COUNT),
        Fact("parameters", "parameters", sum(c.size for c in constants), Kind.COUNT),
        Fact("parameter_bytes", "parameter bytes", sum(c.nbytes for c in constants), Kind.SIZE),
        Fact("macs", "MACs", known if known or not unknown else "unknown", Kind.OPS),
        Fact("macs_missing", "MACs leave out", unknown or None, Kind.NAMES),
        Fact("quantised", "quantised tensors", len(quantised), Kind.COUNT),
        Fact("quantised_dtypes", "quantised dtypes", sorted(_dtypes(quantised)) or None, Kind.NAMES),
        Fact("per_channel", "per-channel tensors", sum(_per_channel(v) for v in quantised), Kind.COUNT),
    ]
    return Facts("model", "Model", tuple(f for f in found if f.value is not None))


def _dtypes(values: Iterable[Value]) -> Iterator[str]:
    yield from {dtype_text(v.dtype) for v in values}


def _per_channel(value: Value) -> bool:
    return value.quant is not None and len(value.quant.scale) > 1


def _macs(ops: Iterable[Emitted]) -> dict[str, int | None]:
    totals: dict[str, int | None] = {}
    for op in ops:
        shapes: Any = tuple(None if v is None else v.shape for v in op.inputs)
        operation = macs.Operation(op.op, shapes, tuple(v.shape for v in op.outputs), op.attrs)
        before, own = totals.get(op.op, 0), macs.count(macs.TFLITE, operation)
        totals[op.op] = None if before is None or own is None else before + own
    return totals


def _specs(graph: Subgraph, values: Iterable[Value]) -> list[TensorSpec]:
    return [TensorSpec(graph.names.get(v, "?"), v.dtype, v.shape, quant=v.quant) for v in values]
