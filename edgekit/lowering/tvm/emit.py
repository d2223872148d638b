"""Writes a ledger as a module of Relax: each op becomes a call of the kernel of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgekit.ir import TensorSpec
from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tvm.adapter import Expr as Scalar
from edgekit.lowering.tvm.adapter import is_int, relax, same, tensor, tir
from edgekit.lowering.tvm.contents import Contents
from edgekit.lowering.tvm.kernels.table import Kernel, load_kernels
from edgekit.lowering.tvm.storage import stored, stored_data

MAIN = "main"
PORTS = "edgekit_ports"
"""The function of a library that returns what it takes and gives, as JSON in uint8."""


def emit(main: Subgraph, inputs: Sequence[TensorSpec], ports: bytes) -> Any:
    """Writes the main graph of a ledger.

    Args:
        main: The graph; nested graphs hang at the attributes of its ops.
        inputs: The public inputs of the source; equal symbols in their shapes are equal sizes.
        ports: What `PORTS` returns.

    Returns:
        A module with the functions `main`, which returns a tuple of the outputs, and `edgekit_ports`.
    """
    program = Program(relax.BlockBuilder())
    symbols: dict[str, Scalar] = {}
    parameters = [
        _parameter(f"x{i}", value, spec, symbols)
        for i, (value, spec) in enumerate(zip(main.inputs, inputs, strict=True))
    ]
    program.function(MAIN, main, parameters)
    builder = program.builder
    with builder.function(PORTS, []):
        with builder.dataflow():
            text = builder.emit_output(relax.const(tensor(_bytes(ports))))
        builder.emit_func_output(text)
    return builder.get()


def _bytes(text: bytes) -> Any:
    import numpy as np

    return np.frombuffer(text, np.uint8).copy()


def _parameter(name: str, value: Value, spec: TensorSpec, symbols: dict[str, Scalar]) -> Any:
    declared = spec.shape or (None,) * value.rank
    sizes = []
    for i, (size, symbol) in enumerate(zip(value.shape, declared, strict=True)):
        key = str(symbol) if isinstance(symbol, str) and symbol else f"{name}_{i}"
        sizes.append(size if size is not None else symbols.setdefault(key, _fresh(f"n{len(symbols)}")))
    return _variable(name, value, sizes)


def _variable(name: str, value: Value, sizes: Sequence[Scalar]) -> Any:
    return relax.Var(name, relax.TensorType(list(sizes), stored(value.dtype).name))


def _fresh(name: str) -> Scalar:
    return tir.Var(name, "int64")


class Program:
    """The functions of a module.

    Attributes:
        builder: Relax's builder of modules.
    """

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self._count = 0

    def name(self, stem: str) -> str:
        """Returns a name that no function has."""
        self._count += 1
        return f"{stem}_{self._count}"

    def function(self, name: str, graph: Subgraph, parameters: Sequence[Any]) -> Any:
        """Writes a graph as a function that returns a tuple; nested graphs become functions before it."""
        from edgekit.lowering.tvm.control import prepare

        nested = {op: prepare(self, op) for op in graph.ops if op.op in ("if", "while")}
        with self.builder.function(name, list(parameters)):
            writer = Writer(self.builder, dict(zip(graph.inputs, parameters, strict=True)))
            needed = _needed(graph)
            for op, later in zip(graph.ops, needed, strict=True):
                if op in nested:
                    writer.call(nested[op], op)
                else:
                    writer.write(op, later)
            return self.builder.emit_func_output(writer.close(graph.outputs))

    def nested(self, stem: str, graph: Subgraph) -> Any:
        """Writes a nested graph as a function."""
        return self.function(self.name(stem), graph, parameters_of(graph.inputs))


def parameters_of(values: Sequence[Value]) -> list[Any]:
    """Makes parameters of given dtypes and shapes; each unknown size is a symbol of its own."""
    return [
        _variable(f"x{i}", v, [_fresh(f"x{i}_{k}") if d is None else d for k, d in enumerate(v.shape)])
        for i, v in enumerate(values)
    ]


def _needed(graph: Subgraph) -> list[frozenset[Value]]:
    """Returns for each op the values that it or a later one reads."""
    needed = set(graph.outputs)
    result = []
    for op in reversed(graph.ops):
        needed.update(v for v in op.inputs if v is not None)
        result.append(frozenset(needed))
    return result[::-1]


class Writer:
    """Writes the ops of one function, in blocks of pure dataflow.

    A block ends where sizes are computed from a tensor: TVM's fusion moves calls across the binding of a
    symbol inside a block.

    Attributes:
        bound: The expression of each value.
    """

    def __init__(self, builder: Any, bound: dict[Value, Any]) -> None:
        self.builder = builder
        self.bound = bound
        self._kernels: Mapping[str, Kernel] = load_kernels()
        self._contents = Contents(lambda v: self.expr(v).ty.shape.values)
        self._symbols: dict[Value, list[Scalar]] = {}
        self._count = 0
        self._block = builder.dataflow()
        self._block.__enter__()

    def close(self, outputs: Sequence[Value]) -> Any:
        """Ends the last block and returns the tuple of the outputs."""
        result = self.builder.emit_output(relax.Tuple([self.expr(v) for v in outputs]))
        self._block.__exit__(None, None, None)
        return result

    def _cut(self, needed: frozenset[Value]) -> None:
        """Ends a block, from which the values that are still needed must be given out."""
        for value in needed:
            if isinstance(self.bound.get(value), relax.DataflowVar):
                self.bound[value] = self.builder.emit_output(self.bound[value])
        self._block.__exit__(None, None, None)

    def _begin(self) -> None:
        self._block = self.builder.dataflow()
        self._block.__enter__()

    def expr(self, value: Value) -> Any:
        """Returns the expression of a value; constants are made on demand."""
        if value not in self.bound:
            if value.data is None:
                raise KeyError(f"a value of shape {value.shape} is used before it is made")
            self.bound[value] = relax.const(tensor(stored_data(value.data)))
        return self.bound[value]

    def write(self, op: Emitted, needed: frozenset[Value]) -> None:
        """Writes one op and binds its results; `needed` are the values that it or a later one reads."""
        kernel = self._kernels[op.op]
        self._contents.record(op)
        unknown = [v for i in kernel.sizes if (v := op.inputs[i]) and self.sizes(v) is None]
        if unknown:
            self._cut(needed)
            for value in unknown:
                self._symbols[value] = self._read(value)
            self._begin()
        self._bind(op, self._relax(kernel, op) if kernel.relax else self._te(kernel, op))

    def call(self, function: Any, op: Emitted) -> None:
        """Writes a call of a function on an op's operands and binds its results."""
        call = relax.Call(function, [self.expr(v) for v in op.inputs if v is not None])
        self._bind(op, self._parts(self.builder.emit(call), op))

    def _bind(self, op: Emitted, results: Sequence[Any]) -> None:
        for value, result in zip(op.outputs, results, strict=True):
            try:
                self.bound[value] = self._refined(result, value)
            except ValueError as problem:
                raise ValueError(f"the kernel `{op.op}` {problem}") from problem

    def _operands(self, kernel: Kernel, op: Emitted) -> list[Any]:
        return [
            None if v is None else self.sizes(v) if i in kernel.sizes else self.expr(v)
            for i, v in enumerate(op.inputs)
        ]

    def _relax(self, kernel: Kernel, op: Emitted) -> list[Any]:
        result = self.builder.emit(kernel.make(*self._operands(kernel, op), **op.attrs))
        return self._parts(result, op)

    def _te(self, kernel: Kernel, op: Emitted) -> list[Any]:
        operands = self._operands(kernel, op)
        given = [relax.ShapeExpr(v) if isinstance(v, list) else v for v in operands if v is not None]
        make = _with_gaps(kernel.make, [v is not None for v in operands], op.attrs)
        return self._parts(self.builder.emit_te(make, *given, primfunc_name_hint=op.op), op)

    def _parts(self, result: Any, op: Emitted) -> list[Any]:
        if len(op.outputs) == 1 and not isinstance(result.ty, relax.TupleType):
            return [result]
        return [self.builder.emit(relax.TupleGetItem(result, i)) for i in range(len(op.outputs))]

    def sizes(self, value: Value) -> list[Scalar] | None:
        """Returns the elements of a tensor of sizes, or `None` if they must be read at run time."""
        return self._symbols.get(value) or self._contents.of(value)

    def _read(self, value: Value) -> list[Scalar]:
        """Makes symbols of the elements of a tensor of sizes."""
        (count,) = value.shape
        if count is None:
            raise ValueError("the number of sizes is unknown")
        numbers = self.expr(value)
        if value.dtype != "int64":
            numbers = self.builder.emit(relax.op.astype(numbers, "int64"))
        shape = self.builder.emit(relax.op.tensor_to_shape(numbers))
        symbols = [self._symbol() for _ in range(count)]
        self.builder.match_cast(shape, relax.ShapeType(symbols))
        return symbols

    def _symbol(self) -> Scalar:
        self._count += 1
        return _fresh(f"s{self._count}")

    def _refined(self, expr: Any, value: Value) -> Any:
        """States sizes that the ledger knows and the expression does not."""
        shape = expr.ty.shape
        old = [None] * value.rank if shape is None else list(shape.values)
        if len(old) != value.rank:
            raise ValueError(f"gives the rank {len(old)} where {value.shape} was to come")
        new = [
            size if size is not None else self._symbol() if dim is None else dim
            for dim, size in zip(old, value.shape, strict=True)
        ]
        if all(o is not None and same(o, w) for o, w in zip(old, new, strict=True)):
            return expr
        if any(o is not None and is_int(o) and is_int(w) and int(o) != int(w)
               for o, w in zip(old, new, strict=True)):  # fmt: skip
            raise ValueError(f"gives the shape {old} where {value.shape} was to come")
        return self.builder.match_cast(expr, relax.TensorType(new, stored(value.dtype).name))


def _with_gaps(
    make: Callable[..., Any], present: Sequence[bool], attrs: Mapping[str, Any]
) -> Callable[..., Any]:
    """Puts `None` where an operand is left out."""

    def call(*given: Any) -> Any:
        rest = iter(given)
        return make(*(next(rest) if here else None for here in present), **attrs)

    return call
