"""Writes a ledger as a MIL program."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgekit.diagnostics import error
from edgekit.lowering.coreml.builder import Slot
from edgekit.lowering.coreml.codes import PAIR, WEIGHTS, emit_pair, emit_weight
from edgekit.lowering.coreml.infer import constant, placeholder, state
from edgekit.lowering.coreml.storage import require
from edgekit.lowering.coreml.tools import mil
from edgekit.lowering.ledger import Emitted, Subgraph, Value

_FOREIGN = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class Emission:
    """A MIL program and the names in it.

    Attributes:
        program: The `coremltools` program.
        names: Name of each value of the main graph.
    """

    program: Any
    names: Mapping[Value, str]


def emit(main: Subgraph, opset: Any, states: Collection[Value] = ()) -> Emission:
    """Writes the program of a graph whose inputs and outputs are ports of Core ML.

    Args:
        main: The graph.
        opset: The op set, as `coremltools.target`.
        states: Inputs that are states.
    """
    m = mil()
    names = _Names(_with_aliases(main))
    inputs = {names.of(v): state(v) if v in states else placeholder(v) for v in main.inputs}
    program = m.Program()
    with m.Function(inputs, opset_version=opset) as function:
        known = {v: function.inputs[names.of(v)] for v in main.inputs}
        scope = _Scope(known, names, int(opset.name.removeprefix("iOS")))
        for op in main.ops:
            scope.op(op)
        function.set_outputs([scope.find(v) for v in main.outputs])
    program.add_function("main", function)
    return Emission(program, names.given)


def _aliased(op: Emitted) -> Value | None:
    """Returns the value that an op only gives another dtype of the source model."""
    source = op.inputs[0] if op.op == "identity" else None
    return source if source is not None and source.dtype != op.outputs[0].dtype else None


def _with_aliases(main: Subgraph) -> Mapping[Value, str]:
    """Lets a value that has no name in the source model take that of its alias."""
    names = dict(main.names)
    for op in reversed(main.ops):
        source = _aliased(op)
        if source is not None and op.outputs[0] in names and source not in main.inputs:
            names.setdefault(source, names[op.outputs[0]])
    return names


_RESERVED = frozenset(
    ("any", "bf16", "bool", "dict", "false", "fp16", "fp32", "fp64", "func", "int16", "int32", "int64",
     "int8", "list", "program", "state", "string", "tensor", "true", "tuple", "uint16", "uint32", "uint64",
     "uint8")
)  # fmt: skip
"""Words of MIL's text form: coremltools renames what is called so, after the fact."""


@dataclass(slots=True)
class _Names:
    """Names that Core ML accepts, each once, near those of the source model."""

    wanted: Mapping[Value, str]
    given: dict[Value, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def of(self, value: Value) -> str:
        if value not in self.given:
            stem = _FOREIGN.sub("_", self.wanted.get(value, "tensor")) or "tensor"
            stem = f"v{stem}" if stem[0].isdigit() or stem[0] == "_" else stem
            stem = f"{stem}_" if stem in _RESERVED else stem
            name, n = stem, 1
            while name in self.taken:
                name, n = f"{stem}_{n}", n + 1
            self.taken.add(name)
            self.given[value] = name
        return self.given[value]


@dataclass(slots=True)
class _Scope:
    """Variables of one block, those of the blocks around it included."""

    known: dict[Value, Any]
    names: _Names | None
    ios: int
    weights: dict[Value, Any] = field(default_factory=dict)

    def find(self, value: Value) -> Any:
        if value not in self.known and value.data is not None:
            self.known[value] = constant(value)
        return self.known[value]

    def op(self, op: Emitted) -> None:
        source = _aliased(op)
        if source is not None:
            self.alias(source, op.outputs[0])
            return
        made = self.nested(op) if _has_graphs(op) else self.plain(op)
        for value, variable in zip(op.outputs, made, strict=True):
            _hold(op, value, variable)
            self.known[value] = variable

    def alias(self, source: Value, renamed: Value) -> None:
        """Two dtypes of the source model, one tensor."""
        self.known[renamed] = self.find(source)
        if self.names is not None and source.data is None:
            self.names.given[renamed] = self.names.of(source)

    def plain(self, op: Emitted) -> Sequence[Any]:
        params = {key: self.param(op, p) for key, p in op.attrs.items()}
        params |= {key: w for key, p in op.attrs.items() if (w := self.weight(op, key, p)) is not None}
        emit_op: Any = emit_pair if op.op == PAIR else getattr(mil().Builder, op.op)
        made = emit_op(**params, **self.label(op))
        return self.named(op, made)

    def weight(self, op: Emitted, key: str, param: Any) -> Any | None:
        """Returns a weight that is stored as bytes; `None` for every other parameter."""
        value = op.inputs[param.index] if isinstance(param, Slot) else None
        if value is None or value.quant is None or key not in WEIGHTS.get(op.op, ()):
            return None
        if value not in self.weights:
            self.weights[value] = emit_weight(value, self.ios)
        return self.weights[value]

    def named(self, op: Emitted, made: Any) -> list[Any]:
        """Gives variables of the main graph the names of their values."""
        variables = list(made) if isinstance(made, list | tuple) else [made]
        if self.names is not None:
            for value, variable in zip(op.outputs, variables, strict=True):
                variable.set_name(self.names.of(value))
        return variables

    def label(self, op: Emitted) -> dict[str, str]:
        """Ops of nested graphs get names of MIL's own."""
        return {} if self.names is None else {"name": self.names.of(op.outputs[0])}

    def param(self, op: Emitted, param: Any) -> Any:
        if isinstance(param, Slot):
            value = op.inputs[param.index]
            assert value is not None
            return self.find(value)
        if isinstance(param, tuple) and any(isinstance(p, Slot) for p in param):
            return tuple(self.param(op, p) for p in param)
        return param

    # -- nested graphs --------------------------------------------------------------------------

    def nested(self, op: Emitted) -> Sequence[Any]:
        """Emits `cond` or `while_loop`; their graphs see the variables around them."""
        m = mil().Builder
        values = [self.find(v) for v in op.inputs if v is not None]
        label = self.label(op)
        if op.op == "cond":
            yes, no = op.attrs["_true_fn"], op.attrs["_false_fn"]
            made = m.cond(
                pred=values[0],
                _true_fn=lambda: self.body(yes, values[1:]),
                _false_fn=lambda: self.body(no, values[1:]),
                **label,
            )
        else:
            proceed, step = op.attrs["_cond"], op.attrs["_body"]
            made = m.while_loop(
                _cond=lambda *state: self.body(proceed, state)[0],
                _body=lambda *state: self.body(step, state),
                loop_vars=tuple(values),
                **label,
            )
        return self.named(op, made)

    def body(self, graph: Subgraph, values: Sequence[Any]) -> list[Any]:
        inner = _Scope({**self.known, **dict(zip(graph.inputs, values, strict=True))}, None, self.ios)
        for op in graph.ops:
            inner.op(op)
        return [_own(inner.find(v), v in graph.inputs or v.data is not None) for v in graph.outputs]


def _own(variable: Any, foreign: bool) -> Any:
    """A block gives variables of its own, not those around it."""
    return mil().Builder.identity(x=variable) if foreign else variable


def _has_graphs(op: Emitted) -> bool:
    return any(isinstance(p, Subgraph) for p in op.attrs.values())


def _hold(op: Emitted, value: Value, variable: Any) -> None:
    """Holds MIL's inference to what the ledger says.

    Raises:
        EdgekitError: EK901 if they differ.
    """
    dtype = np.dtype(mil().types.nptype_from_builtin(variable.dtype))
    shape = tuple(int(d) if isinstance(d, int | np.integer) else None for d in variable.shape)
    same = len(shape) == value.rank and all(
        a is None or b is None or a == b for a, b in zip(shape, value.shape, strict=True)
    )
    if dtype == require(value.dtype) and same:
        return
    raise error(
        "EK901",
        f"MIL's `{op.op}` gives {dtype} {shape} instead of {value.dtype} {value.shape}",
        help="please report this with the model",
    )
