"""The one driver: walks a prepared model, finds a lowering for each node, stamps origins.

For a node it tries, in this order: the backend's own lowering, a decomposition (ours, then the
op's ONNX function body), and gives up with the reason. It goes on after a refusal, so that one
run reports every problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where, error
from edgekit.ir import Model, Origin, numpy_dtype, origin_of
from edgekit.lowering.builder import LedgerBuilder
from edgekit.lowering.ledger import Lowered, Shape, Subgraph, TensorMap, Value
from edgekit.lowering.op import LowerOptions, Op, Unlowerable
from edgekit.lowering.opinion import contradiction

Expand = Callable[[ir.Node], ir.Model | None]
"""Replaces one node by a small graph with one input and one output for each of the node's, in order."""

REFUSED = "REFUSED:"
"""Prefix of the op that stands for a refused node (`LowerOptions.keep_refused`)."""


def lower(
    model: Model, builder: LedgerBuilder, expand: Expand, options: LowerOptions | None = None
) -> Lowered:
    """Lowers a prepared model to the ops of one backend.

    Args:
        model: A model in the newest opset, shapes inferred (`passes.prepare`).
        builder: An empty builder of the backend.
        expand: Gives the decomposition of a node that has no lowering.
        options: What the user allows and wants.

    Returns:
        The ledger. Refused nodes are errors among its diagnostics; it is then not complete.
    """
    driver = _Driver(builder.table.backend, expand, options or LowerOptions())
    main = driver.main(model, builder)
    tensors = {name: TensorMap(value) for value, name in main.names.items()}
    return Lowered(
        builder.table.backend,
        main,
        tuple(map(TensorMap, main.inputs)),
        tuple(map(TensorMap, main.outputs)),
        tuple(driver.grouped()),
        tensors,
    )


@dataclass(frozen=True, slots=True)
class _Refusal:
    op_type: str
    origin: Origin
    verdict: Unlowerable
    decomposition: tuple[str, ...] = ()
    """Why the op's decomposition is of no help either; empty where there is none."""


class _DependsOnRefused(Exception):  # noqa: N818 - says only that the cause is reported already
    """A nested graph needs a value whose producer was refused."""


@dataclass(slots=True)
class _Scope:
    """Values of one graph while it is lowered.

    Attributes:
        builder: Where the graph's ops go.
        opsets: Version of each operator domain.
        outer: The enclosing graph's scope.
        named: Whether the names of its values are names of the source model.
        values: What each value was lowered to.
        captured: Values of the enclosing graph that this one uses, as found there.
    """

    builder: LedgerBuilder
    opsets: Mapping[str, int]
    outer: _Scope | None = None
    named: bool = True
    values: dict[ir.Value, Value | None] = field(default_factory=dict)
    captured: dict[ir.Value, Value] = field(default_factory=dict)

    def find(self, value: ir.Value) -> Value | None:
        """Returns the lowered value, capturing it from an outer graph where needed."""
        if value in self.values:
            return self.values[value]
        if value.const_value is not None and value.producer() is None:
            return self._bind(value, self.builder.const(value.const_value.numpy()))
        if self.outer is None:
            raise KeyError(value.name)
        outside = self.outer.find(value)
        if outside is None or outside.data is not None:
            self.values[value] = outside
            return outside
        inside = self.builder.value(outside.dtype, outside.shape, outside.quant)
        self.captured[value] = outside
        return self._bind(value, inside)

    def _bind(self, value: ir.Value, lowered: Value) -> Value:
        self.bind(value, lowered)
        return lowered

    def bind(self, value: ir.Value, lowered: Value | None) -> None:
        """Records what a source value was lowered to."""
        self.values[value] = lowered
        if lowered is not None and value.name and self.named:
            self.builder.names.setdefault(lowered, value.name)


class _Driver:
    def __init__(self, backend: str, expand: Expand, options: LowerOptions) -> None:
        self.backend = backend
        self.expand = expand
        self.options = options
        self.refusals: list[_Refusal] = []
        self.notes: list[Diagnostic] = []

    def main(self, model: Model, builder: LedgerBuilder) -> Subgraph:
        graph, scope = model.ir.graph, _Scope(builder, model.ir.opset_imports)
        inputs = [v for v in graph.inputs if v.name not in graph.initializers]
        for value in inputs:
            scope.bind(value, builder.value(numpy_dtype(value.dtype), _shape(value)))
        self.nodes(graph, scope)
        outputs = [
            scope.find(v) if v in scope.values or v.producer() is None else None for v in graph.outputs
        ]
        return builder.finish(
            model.name,
            [v for v in (scope.values[i] for i in inputs) if v],
            [v for v in outputs if v is not None],
        )

    def nodes(self, graph: ir.Graph, scope: _Scope) -> None:
        for node in graph:
            self.node(node, scope, origin_of(node))

    def node(self, node: ir.Node, scope: _Scope, origin: Origin) -> None:
        """Lowers one node, or records why not and leaves its outputs undefined."""
        if any(v is not None and self._undefined(v, scope) for v in node.inputs):
            return  # its producer was refused: one cause, one message
        mark = len(scope.builder.ops)
        scope.builder.origin = origin
        try:
            results = self.guarded(node, scope, origin)
        except _DependsOnRefused:
            del scope.builder.ops[mark:]
            return
        except Unlowerable as verdict:
            del scope.builder.ops[mark:]
            reasons = () if verdict.final else self.expanded(node, scope, origin)
            if reasons is not None:
                self.refusals.append(_Refusal(node.op_type, origin, verdict, reasons))
                self.stand_in(node, scope)
            return
        for value, result in zip(node.outputs, results, strict=False):
            scope.bind(value, result)

    def stand_in(self, node: ir.Node, scope: _Scope) -> None:
        """Where the caller wants to see what follows, puts an op of the refused node's name in its place."""
        if not self.options.keep_refused or scope.outer is not None or not scope.named:
            return
        made = [v for v in node.outputs if v.name]
        if any(v.shape is None for v in made):
            return  # what follows cannot be lowered without a rank
        try:
            results = [scope.builder.value(numpy_dtype(v.dtype), _shape(v)) for v in made]
        except Unlowerable:
            return  # the backend cannot even hold such a tensor
        operands = [None if v is None else scope.find(v) for v in node.inputs]
        scope.builder.append(f"{REFUSED}{node.op_type}", operands, results)
        for value, result in zip(made, results, strict=True):
            scope.bind(value, result)

    def guarded(self, node: ir.Node, scope: _Scope, origin: Origin) -> tuple[Value | None, ...]:
        """Lowers a node; a lowering that fails says whose fault it is: the model's or ours.

        Raises:
            Unlowerable: If the node cannot be expressed, or contradicts itself (EK114).
            EdgekitError: EK901 if the lowering fails on a sound node.
        """
        try:
            results = self.native(node, scope, origin)
            _check(node, results)
        except (Unlowerable, _DependsOnRefused):
            raise
        except Exception as failure:
            objection = contradiction(node, scope.opsets.get("", 1))
            if objection is not None:
                raise Unlowerable(f"it is not valid: {objection}", code="EK114", final=True) from failure
            raise failure if isinstance(failure, EdgekitError) else _bug(node, f"`{failure!r}`") from failure
        return results

    def native(self, node: ir.Node, scope: _Scope, origin: Origin) -> tuple[Value | None, ...]:
        version = node.version or scope.opsets.get(node.domain, 1)
        function = scope.builder.table.find(node.op_type, version, node.domain)
        if function is None:
            raise self._unknown(node)
        op = Op(
            node,
            [None if v is None else scope.find(v) for v in node.inputs],
            lower_subgraph=lambda graph, inputs, name: self.subgraph(graph, inputs, name, scope),
            approximate=lambda reason, final: self.approximate(node, origin, reason, final),
        )
        result = function(scope.builder, op)
        return result if isinstance(result, tuple) else (result,)

    def expanded(self, node: ir.Node, scope: _Scope, origin: Origin) -> tuple[str, ...] | None:
        """Lowers a node through its decomposition.

        Returns:
            `None` if that went well, else why its parts could not be lowered.
        """
        fragment = self.expand(node)
        if fragment is None:
            return ()
        mark, refused = len(scope.builder.ops), len(self.refusals)
        inner = _Scope(scope.builder, fragment.opset_imports, named=False)
        for formal, actual in zip(fragment.graph.inputs, node.inputs, strict=True):
            inner.values[formal] = None if actual is None else scope.find(actual)
        for part in fragment.graph:
            self.node(part, inner, origin)
        pairs = list(zip(node.outputs, fragment.graph.outputs, strict=True))
        if any(wanted.name and not self._defined(made, inner) for wanted, made in pairs):
            reasons = dict.fromkeys(f"`{r.op_type}`: {r.verdict.reason}" for r in self.refusals[refused:])
            del scope.builder.ops[mark:]
            del self.refusals[refused:]
            return tuple(reasons)
        results = [inner.find(made) if wanted.name else None for wanted, made in pairs]
        _check(node, results)
        for value, result in zip(node.outputs, results, strict=True):
            scope.bind(value, result)
        return None

    def subgraph(
        self, graph: ir.Graph, inputs: Sequence[Value], name: str, outer: _Scope
    ) -> tuple[Subgraph, tuple[Value, ...]]:
        scope = _Scope(outer.builder.child(), outer.opsets, outer)
        formals = []
        for formal, actual in zip(graph.inputs, inputs, strict=True):
            inside = scope.builder.value(actual.dtype, actual.shape, actual.quant)
            scope.bind(formal, inside)
            formals.append(inside)
        refused = len(self.refusals)
        self.nodes(graph, scope)
        if len(self.refusals) > refused:
            parts = sorted({f"`{r.op_type}`" for r in self.refusals[refused:]})
            raise Unlowerable(f"its `{name}` holds {', '.join(parts)}, which cannot be expressed")
        if any(self._undefined(v, scope) for v in graph.outputs):
            raise _DependsOnRefused
        outputs = [scope.find(v) for v in graph.outputs]
        captured = tuple(scope.captured.values())
        inner = [scope.values[v] for v in scope.captured]
        return (
            scope.builder.finish(
                name, [*formals, *(v for v in inner if v)], [v for v in outputs if v is not None]
            ),
            captured,
        )

    def approximate(self, node: ir.Node, origin: Origin, reason: str, final: bool) -> None:
        if not self.options.allow_approximate:
            help = "accept it with `--allow-approximate`; its error is then reported"
            raise Unlowerable(reason, code="EK304", help=help, final=final)
        message = f"`{node.op_type}` is approximated: {reason}"
        self.notes.append(Diagnostic("EK304", message, Severity.WARNING, where=_where(origin)))

    def grouped(self) -> list[Diagnostic]:
        """Returns one diagnostic per cause, naming all nodes that share it."""
        causes: dict[tuple[str, str, str], list[_Refusal]] = {}
        for refusal in self.refusals:
            key = (refusal.verdict.code, refusal.op_type, refusal.verdict.reason)
            causes.setdefault(key, []).append(refusal)
        return [*map(self._diagnostic, causes.values()), *self.notes]

    def _diagnostic(self, refusals: Sequence[_Refusal]) -> Diagnostic:
        first = refusals[0]
        places = [r.origin for r in refusals[1:] if r.origin.file is not None]
        union = Origin()
        for refusal in refusals:
            union = union | refusal.origin
        return Diagnostic(
            first.verdict.code,
            f"`{first.op_type}` cannot be lowered to {self.backend}: {first.verdict.reason}",
            where=_where(union),
            notes=(
                *(f"its decomposition fails at {reason}" for reason in first.decomposition),
                *(f"also at {p.file}:{p.line} (`{p.scope}`)" for p in places),
            ),
            help=first.verdict.help,
            data={"op_type": first.op_type, "count": len(refusals)},
        )

    def _unknown(self, node: ir.Node) -> Unlowerable:
        if node.domain:
            return Unlowerable(
                f"the domain `{node.domain}` is not known",
                code="EK109",
                help="register a lowering for it in a plugin, or export the model with standard ONNX ops",
            )
        return Unlowerable("there is no lowering for this op", code="EK301")

    def _undefined(self, value: ir.Value, scope: _Scope) -> bool:
        return not self._defined(value, scope)

    def _defined(self, value: ir.Value, scope: _Scope | None) -> bool:
        if value.const_value is not None and value.producer() is None:
            return True
        while scope is not None:
            if value in scope.values:
                return True
            scope = scope.outer
        return False


def _where(origin: Origin) -> Where:
    return Where(origin.file, origin.line, origin.nodes, origin.scope)


def _shape(value: ir.Value) -> Shape:
    if value.shape is None:
        raise error(
            "EK305",
            f"the rank of the input `{value.name}` is unknown",
            help="give the input a shape when exporting",
        )
    return tuple(d if isinstance(d, int) else None for d in value.shape)


def _check(node: ir.Node, results: Sequence[Value | None]) -> None:
    """Holds a lowering to what shape inference says of the node's outputs."""
    for value, result in zip(node.outputs, results, strict=False):
        if result is None:
            continue
        dtype = numpy_dtype(value.dtype)
        if value.dtype is not None and dtype != result.dtype:
            raise _bug(node, f"dtype {result.dtype} instead of {dtype}")
        if value.shape is None:
            continue
        declared = tuple(d if isinstance(d, int) else None for d in value.shape)
        if len(declared) != result.rank or any(
            a is not None and b is not None and a != b for a, b in zip(declared, result.shape, strict=True)
        ):
            raise _bug(node, f"shape {result.shape} instead of {declared}")


def _bug(node: ir.Node, what: str) -> Exception:
    return error(
        "EK901",
        f"the lowering of `{node.op_type}` gives {what}",
        where=_where(origin_of(node)),
        help="please report this with the model",
    )


__all__ = ["REFUSED", "Expand", "lower"]
