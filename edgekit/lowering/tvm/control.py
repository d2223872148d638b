"""Functions for branches and loops: Relax has branches, and calls of other functions.

A loop is not written as recursion, whose depth would grow with its steps, but by doubling: level 0 takes
one step if the condition holds; level k takes level k-1 twice. So the depth is the logarithm of the number
of steps, and values of earlier steps are freed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tvm.adapter import relax
from edgekit.lowering.tvm.emit import Program, parameters_of
from edgekit.lowering.tvm.storage import stored


def prepare(program: Program, op: Emitted) -> Any:
    """Writes the functions of an `if` or `while` and returns the one to call on its operands."""
    return _branch(program, op) if op.op == "if" else _loop(program, op)


def _branch(program: Program, op: Emitted) -> Any:
    yes, no = (program.nested(k, op.attrs[k]) for k in ("yes", "no"))
    parameters = parameters_of([v for v in op.inputs if v is not None])
    condition, *rest = parameters
    return _choice(program, "if", parameters, condition, relax.Call(yes, rest), relax.Call(no, rest))


def _loop(program: Program, op: Emitted) -> Any:
    body: Subgraph = op.attrs["body"]
    step = program.nested("step", body)
    test = program.nested("test", op.attrs["condition"])
    parameters = parameters_of(body.inputs)
    level = _choice(
        program,
        "loop",
        parameters,
        None,
        relax.Call(step, parameters),
        relax.Tuple(parameters),
        test=test,
    )
    for _ in range((op.attrs["most"] - 1).bit_length()):
        level = _twice(program, body.inputs, level, test)
    return level


def _twice(program: Program, state: Sequence[Value], level: Any, test: Any) -> Any:
    builder = program.builder
    parameters = parameters_of(state)
    with builder.function(program.name("loop"), parameters):
        half = builder.emit(relax.Call(level, parameters))
        values = [_typed(builder, half, i, v) for i, v in enumerate(state)]
        result = _if(builder, _tested(builder, test, values), relax.Call(level, values), relax.Tuple(values))
        return builder.emit_func_output(result)


def _typed(builder: Any, whole: Any, i: int, value: Value) -> Any:
    """Takes a part of a tuple and states its shape anew."""
    (shape,) = (p.ty.shape for p in parameters_of([value]))
    part = builder.emit(relax.TupleGetItem(whole, i))
    return builder.match_cast(part, relax.TensorType(list(shape.values), stored(value.dtype).name))


def _choice(
    program: Program, stem: str, parameters: list[Any], condition: Any, yes: Any, no: Any, test: Any = None
) -> Any:
    builder = program.builder
    with builder.function(program.name(stem), parameters):
        holds = condition if test is None else _tested(builder, test, parameters)
        return builder.emit_func_output(_if(builder, holds, yes, no))


def _tested(builder: Any, test: Any, values: Sequence[Any]) -> Any:
    return builder.emit(relax.TupleGetItem(builder.emit(relax.Call(test, list(values))), 0))


def _if(builder: Any, condition: Any, yes: Any, no: Any) -> Any:
    return builder.emit(relax.If(condition, yes, no))
