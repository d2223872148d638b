"""DEQUANTIZE, an op, QUANTIZE: becomes the op's integer kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.integer.movement import (
    ADDING,
    data_operands,
    is_implied,
    is_on_grid,
    moved_operands,
    on_codes,
)
from edgekit.lowering.tflite.integer.rules import INT8, RULES, Form, StaysFloat
from edgekit.lowering.tflite.integer.table import look_up

_BLIND = ("CAST", "SHAPE", "RESHAPE")
"""Ops that do not look at the quantisation of their operand."""
_SLACK = 1e-6
"""Relative: scales this close are one scale."""


@dataclass(slots=True)
class Fusion:
    """One walk over a graph.

    Attributes:
        graph: A graph with markers, QUANTIZE behind the ops that compute.
        exact: Whether functions are looked up where their kernels are not exact.
        dtype: Of the codes whose kernels are looked for.
        ops: The ops so far.
        codes: The integers that stand for a real value.
        now: What a value of the former graph is in the new one.
        reasons: Why an op stays in float, by its first result.
        fused: How many ops compute in integers.
        is_sound: Whether no op reads codes as numbers: TFLite's kernels would take them for reals.
    """

    graph: Subgraph
    exact: bool = False
    dtype: np.dtype[Any] = INT8
    ops: list[Emitted] = field(default_factory=list)
    codes: dict[Value, Value] = field(default_factory=dict)
    now: dict[Value, Value] = field(default_factory=dict)
    reasons: dict[Value, str] = field(default_factory=dict)
    fused: int = 0
    is_sound: bool = True
    _users: dict[Value, list[Emitted]] = field(default_factory=dict)
    _done: set[Value] = field(default_factory=set)

    def run(self) -> Subgraph:
        """Returns the graph with integer ops, and without what they made superfluous."""
        for op in self.graph.ops:
            for value in op.inputs:
                if value is not None:
                    self._users.setdefault(value, []).append(op)
        self._type_inputs()
        for op in self.graph.ops:
            self._op(op)
        outputs = tuple(self.now.get(v, v) for v in self.graph.outputs)
        inputs = tuple(self.now.get(v, v) for v in self.graph.inputs)
        names = {self.now.get(v, v): name for v, name in self.graph.names.items()}
        return _live(Subgraph(self.graph.name, inputs, outputs, tuple(self.ops), names))

    def _type_inputs(self) -> None:
        """Gives public integers the quantisation that their readers state."""
        for value in self.graph.inputs:
            stated = [u.attrs["quant"] for u in self._users.get(value, []) if u.op == "DEQUANTIZE"]
            if stated and all(_same(stated[0], quant) for quant in stated):
                self.now[value] = Value(value.dtype, value.shape, None, stated[0])

    def _op(self, op: Emitted) -> None:
        if op.outputs[0] in self._done:
            return
        inputs = tuple(v if v is None else self.now.get(v, v) for v in op.inputs)
        if op.op == "QUANTIZE":
            self._quantize(op, inputs[0])
        elif op.op == "DEQUANTIZE":
            self._dequantize(op, inputs[0])
        elif not (self._move(op, inputs) or self._compute(op) or self._choose(op, inputs)):
            self.is_sound &= op.op in _BLIND or not any(v and v.quant and v.data is None for v in inputs)
            self.ops.append(replace(op, inputs=inputs))

    def _quantize(self, op: Emitted, x: Value | None) -> None:
        assert x is not None
        result, quant = op.outputs[0], op.attrs["quant"]
        code = self.codes.get(x)
        if code is not None and code.dtype == result.dtype and _same(code.quant, quant):
            self.now[result] = code
            return
        source = x if code is None else code
        self.now[result] = made = Value(result.dtype, result.shape, None, quant)
        self.ops.append(Emitted("QUANTIZE", (source,), (made,), {}, op.origin))

    def _dequantize(self, op: Emitted, code: Value | None) -> None:
        assert code is not None
        result = op.outputs[0]
        if code.quant is None or not _same(code.quant, op.attrs["quant"]):
            self.ops.append(replace(op, inputs=(code,)))  # keeps its marker: `exact` writes it out
            return
        if code.dtype == self.dtype:
            self.codes[result] = code
        self.ops.append(Emitted("DEQUANTIZE", (code,), (result,), {}, op.origin))

    def _move(self, op: Emitted, inputs: tuple[Value | None, ...]) -> bool:
        """Moves the integers instead of the reals that they stand for, or integers as they are."""
        places = data_operands(op)
        operands = {i: self._code(inputs[i]) for i in places}
        known = [v for v in operands.values() if v is not None and v.quant is not None]
        if not places or len(known) != len(places) or not all(_same(known[0].quant, v.quant) for v in known):
            return False
        quant = known[0].quant
        assert quant is not None
        is_real = op.outputs[0].dtype != self.dtype
        if is_real and (
            not is_on_grid(op, quant, self.dtype) or any(v.dtype != np.float32 for v in op.outputs)
        ):
            return False
        if not is_real and op.op in ADDING and any(v.quant is None for v in moved_operands(op).values()):
            return False  # it was an op on codes, not on reals
        if not is_real and is_implied(op):
            self.now[op.outputs[0]] = known[0]
            return True
        made = tuple(Value(self.dtype, v.shape, None, quant) for v in op.outputs)
        given = {i: v for i, v in operands.items() if v is not None}
        moved = replace(op, inputs=inputs)
        self.ops += on_codes(moved, given, made, quant) if is_real else [replace(moved, outputs=made)]
        for result, code in zip(op.outputs, made, strict=True):
            if not is_real:
                self.now[result] = code
                continue
            self.codes[result] = code
            self.ops.append(Emitted("DEQUANTIZE", (code,), (result,), {}, op.origin))
        self.fused += 1
        return True

    def _choose(self, op: Emitted, inputs: tuple[Value | None, ...]) -> bool:
        """Lets an op that only looks for the place of the largest look among the integers."""
        code = self._code(inputs[0]) if op.op in ("ARG_MAX", "ARG_MIN") else None
        if code is None or op.inputs[0] is None or op.inputs[0].dtype == self.dtype:
            return False
        self.ops.append(replace(op, inputs=(code, *inputs[1:])))
        self.fused += 1
        return True

    def _code(self, value: Value | None) -> Value | None:
        if value is None or value.data is not None:
            return None
        return value if value.dtype == self.dtype and value.quant is not None else self.codes.get(value)

    def _compute(self, op: Emitted) -> bool:
        rule = RULES.get(op.op)
        if rule is None or op.outputs[0].dtype != np.float32:
            return False
        codes = [None if v is None else self._code(v) for v in op.inputs]
        if not any(codes):
            return False
        try:
            after = self._quantised(op)
            form = rule(op, codes)
            self._emit(op, form, after)
        except StaysFloat as verdict:
            self.reasons[op.outputs[0]] = str(verdict)
            return False
        self.fused += 1
        return True

    def _quantised(self, op: Emitted) -> Emitted:
        """Returns the one op that quantises a result; a result that something reads as reals has none."""
        readers = self._users.get(op.outputs[0], [])
        first = readers[0] if readers else None
        is_public = op.outputs[0] in self.graph.outputs
        if is_public or first is None or first.op != "QUANTIZE" or first.outputs[0].dtype != self.dtype:
            raise StaysFloat("its result is not quantised")
        if any(r.op != "QUANTIZE" or r.attrs != first.attrs for r in readers):
            raise StaysFloat("its result is also read as reals")
        return first

    def _emit(self, op: Emitted, form: Form, after: Emitted) -> None:
        quant: Quant = after.attrs["quant"]
        misfit = form.own is not None and not _same(form.own, quant)
        if form.table is not None and (misfit or self.exact):
            code = form.inputs[0]
            assert code is not None
            made, result = look_up(code, form.table, quant, op.origin | after.origin)
            self.ops += made
            self._replace(op, result)
            return
        own = form.own if misfit and form.own is not None and form.otherwise is None else quant
        if own is not quant and own.scale[0] > quant.scale[0] * (1 + _SLACK):
            raise StaysFloat(
                f"its kernel gives the scale {own.scale[0]:.6g}, coarser than the {quant.scale[0]:.6g} wanted"
            )
        origin = op.origin | after.origin
        y = Value(self.dtype, op.outputs[0].shape, None, own)
        plain = (form.inputs, op.op, op.attrs)
        inputs, name, attrs = (form.otherwise if misfit else None) or plain
        self.ops.append(Emitted(name, inputs, (y,), attrs, origin))
        if own is not quant:
            z = Value(self.dtype, y.shape, None, quant)
            self.ops.append(Emitted("QUANTIZE", (y,), (z,), {}, origin))
            y = z
        self._replace(op, y)

    def _replace(self, op: Emitted, y: Value) -> None:
        """Lets the integers stand for what the readers quantised the result of an op to."""
        for reader in self._users[op.outputs[0]]:
            self.now[reader.outputs[0]] = y
            self._done.add(reader.outputs[0])


def _same(a: Quant | None, b: Quant | None) -> bool:
    if a is None or b is None or a.axis is not None or b.axis is not None:
        return False
    return a.zero_point == b.zero_point and abs(a.scale[0] - b.scale[0]) <= _SLACK * a.scale[0]


def _live(graph: Subgraph) -> Subgraph:
    needed = set(graph.outputs)
    kept: list[Emitted] = []
    for op in reversed(graph.ops):
        if needed.isdisjoint(op.outputs):
            continue
        kept.append(op)
        needed.update(v for v in op.inputs if v is not None)
    names: Mapping[Value, str] = graph.names
    return replace(graph, ops=tuple(reversed(kept)), names=names)
