"""Walks a TFLite graph and makes the graph of the hub."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where
from edgekit.importers.onnx_checks.findings import shown
from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.nodes import OPSET, Nodes
from edgekit.importers.tflite.refused import REASONS
from edgekit.importers.tflite.table import TABLE, Translation, Untranslatable, load_ops
from edgekit.importers.tflite.tensors import Tensors
from edgekit.ir import ROUNDED_AT_RUN_TIME, Origin
from edgekit.ir.ledger import Emitted, Subgraph, Value

IR_VERSION = 10
_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV")
_MALFORMED = (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError, AttributeError)
"""What operands and options raise that no writer would have made."""


def translate(graph: Subgraph, file: str | None = None) -> tuple[ir.Model, tuple[Diagnostic, ...]]:
    """Makes the hub's graph of a TFLite graph.

    Inputs, outputs and the results of ops keep their names, layout and dtypes. A quantised tensor is a
    value of its integers, between QuantizeLinear and DequantizeLinear with the file's scales and zero
    points. The origin of a node is the op, `CONV_2D#<index>`, its scope the name of the op's first result.

    Args:
        graph: The main graph of a file.
        file: The file, for diagnostics.

    Returns:
        The model, and warnings.

    Raises:
        EdgekitError: EK109 and EK116 with every op that has no form in the hub; EK104 for an output that
            nothing computes.
    """
    load_ops()
    walk = _Walk(graph, file)
    inputs = walk.inputs()
    for index, op in enumerate(graph.ops):
        walk.op(index, op)
    walk.raise_refusals()
    outputs = walk.outputs()
    made = ir.Graph(
        inputs,
        outputs,
        nodes=walk.nodes.made,
        initializers=list(walk.nodes.held.values()),
        opset_imports={"": OPSET},
        name=graph.name or "main",
    )
    return ir.Model(made, ir_version=IR_VERSION, producer_name="edgekit"), walk.warnings()


@dataclass(slots=True)
class _Walk:
    graph: Subgraph
    file: str | None
    nodes: Nodes = field(default_factory=Nodes)
    refusals: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    lost: set[Value] = field(default_factory=set)
    named: set[ir.Value] = field(default_factory=set)
    hybrids: list[str] = field(default_factory=list)
    tensors: Tensors = field(init=False)

    def __post_init__(self) -> None:
        self.tensors = Tensors(self.nodes, self.graph.names)

    def inputs(self) -> list[ir.Value]:
        """Makes the graph's inputs; the names of all tensors are taken first, so that they keep theirs."""
        made = []
        batched = all(v.shape and v.shape[0] is None for v in self.graph.inputs)
        for number, value in enumerate(self.graph.inputs):
            name = self.graph.names.get(value) or f"input_{number}"
            sizes = [_size(name, i, d, batched) for i, d in enumerate(value.shape)]
            made.append(self.nodes.input(value, name, sizes))
            self.tensors.define(value, made[-1])
        return made

    def op(self, index: int, op: Emitted) -> None:
        """Translates one op; a refusal is kept, and what depends on it is not looked at."""
        first = self.graph.names.get(op.outputs[0]) if op.outputs else None
        self.nodes.origin = Origin((f"{op.op.removeprefix('CUSTOM:')}#{index}",), first)
        if not self.lost.isdisjoint(v for v in op.inputs if v is not None):
            self.lost.update(op.outputs)
            return
        row = TABLE.get(op.op)
        if row is None:
            self._refuse(op, *_unknown(op.op))
            return
        try:
            self._results(op, row)
        except Untranslatable as verdict:
            self._refuse(op, "EK116", f"`{op.op}` has no form in the hub here: {verdict}")
        except _MALFORMED as failure:
            self._refuse(op, "EK113", f"`{op.op}` is malformed: {str(failure)[:200]}")

    def _results(self, op: Emitted, row: Translation) -> None:
        if _is_hybrid(op):
            self.hybrids += self.nodes.origin.nodes
        results = row.make(Call(op, self.nodes, self.tensors, row.on_codes))
        made = [results] if isinstance(results, ir.Value) else list(results)
        if len(made) != len(op.outputs):
            raise Untranslatable(f"it has {len(op.outputs)} results instead of {len(made)}")
        for value, result in zip(op.outputs, made, strict=True):
            if value in self.graph.inputs or self.tensors.is_defined(value):
                raise Untranslatable("it writes to a tensor that has a value already")
            self.tensors.define(value, self._named(value, result, row))

    def _named(self, value: Value, result: ir.Value, row: Translation) -> ir.Value:
        if self.tensors.is_quantised(value) and not row.on_codes:
            result = self.tensors.quantised(result, value)
        elif value.quant is not None and not row.on_codes and value.dtype.name == "int32":
            raise Untranslatable("it gives int32 for reals, which QuantizeLinear cannot make")
        if result.producer() is None or result in self.named:  # an operand handed on
            result = self.nodes.op("Identity", [result], 1)[0]
        result.name = self.tensors.name(value)
        self.named.add(result)
        return result

    def _refuse(self, op: Emitted, code: str, message: str) -> None:
        self.refusals.setdefault((code, message), []).append(self.nodes.origin.nodes[0])
        self.lost.update(op.outputs)

    def warnings(self) -> tuple[Diagnostic, ...]:
        """Returns what the hub computes otherwise than the file's own runtime."""
        if not self.hybrids:
            return ()
        return (
            Diagnostic(
                "EK304",
                "LiteRT rounds activations at run time where weights alone are integers; here they stay real",
                Severity.WARNING,
                where=Where(self.file, nodes=tuple(self.hybrids)),
                data={ROUNDED_AT_RUN_TIME: True},
            ),
        )

    def raise_refusals(self) -> None:
        """Ends the import if an op was refused."""
        found = [
            Diagnostic(code, message, where=Where(self.file, nodes=tuple(places)))
            for (code, message), places in self.refusals.items()
        ]
        if found:
            raise EdgekitError(*found)

    def outputs(self) -> list[ir.Value]:
        """Returns the graph's outputs, each a value of its own."""
        self.nodes.origin = Origin(("outputs",))
        made: list[ir.Value] = []
        for value in self.graph.outputs:
            if not self.tensors.is_defined(value):
                message = f"nothing computes the output {shown(self.graph.names.get(value) or '')}"
                raise EdgekitError(Diagnostic("EK104", message, where=Where(self.file)))
            result = self.tensors.stored(value)
            if result.producer() is None or result in made:
                result = self.nodes.op("Identity", [result], 1)[0]
            result.type = ir.TensorType(ir.DataType.from_numpy(value.dtype))
            result.shape = ir.Shape(value.shape)
            made.append(result)
        return made


def _is_hybrid(op: Emitted) -> bool:
    """Tells whether an op multiplies reals by constant integers that stand for reals."""
    values = [v for v in op.inputs if v is not None]
    weights = any(v.data is not None and v.quant is not None and v.dtype.itemsize == 1 for v in values)
    return weights and op.op in _PRODUCTS and any(v.data is None and v.dtype == np.float32 for v in values)


def _size(name: str, axis: int, size: int | None, batched: bool) -> int | str:
    if size is not None:
        return size
    return "batch" if batched and axis == 0 else f"{name}_{axis}"


def _unknown(name: str) -> tuple[str, str]:
    if name.startswith("CUSTOM:"):
        return "EK109", f"the custom op {shown(name.removeprefix('CUSTOM:'))} is not known"
    reason = f": {REASONS[name]}" if name in REASONS else ""
    return "EK116", f"`{name}` has no form in the hub{reason}"
